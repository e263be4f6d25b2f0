"""The forward pass on a GPU: right against the CPU, and how fast against cuDNN."""
