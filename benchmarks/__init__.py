"""Measurements; each is a ratio taken in one run, on one machine, side by side."""
