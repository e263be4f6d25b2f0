"""Explanations of predictions: attributions, sentence scores and gate activations."""
