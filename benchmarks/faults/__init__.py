"""Benchmarks under overload, reload, drain and long runs."""
