"""Measurements of `python -m app predict`."""
