"""Benchmarks of the training pipeline."""
