"""Scores, abstention and calibration; NumPy only."""
