"""Benchmarks of the inference engine, without HTTP."""
