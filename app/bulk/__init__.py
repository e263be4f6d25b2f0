"""Scoring of files: `python -m app predict`. Needs pyarrow, which the server does not."""
