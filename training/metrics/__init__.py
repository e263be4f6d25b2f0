"""Scores, abstention and calibration, from NumPy arrays."""
