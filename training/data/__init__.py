"""Labelled and unlabelled texts: reading, checking, splitting and augmenting them."""
