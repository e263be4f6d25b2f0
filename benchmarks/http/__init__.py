"""Benchmarks of the server over HTTP."""
