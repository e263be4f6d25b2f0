"""Labelled and unlabelled texts: reading, checking, splitting and writing variants."""
