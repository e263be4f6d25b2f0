"""Load generators, server processes and references that the benchmarks share."""
