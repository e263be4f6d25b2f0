"""Transformer teachers: fine-tuning, labelling and starting vectors."""
