"""Comparisons of methods, and searches for settings."""
