"""Evaluation of checkpoints: scores, neighbours, drift reference and the checklist."""
