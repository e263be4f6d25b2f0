"""Looks for defects in labelled files before anything is trained on them."""
