"""ONNX form of a checkpoint: a graph built from its weights, and a folder that runs without Sluice."""
