"""The library: texts in, probabilities out; and the checkpoint folder in between."""
