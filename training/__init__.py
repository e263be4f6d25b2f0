"""The offline pipeline: labelled text in, one checkpoint folder out."""
