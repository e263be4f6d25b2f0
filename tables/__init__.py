"""Data files as streams of record batches, with the file's row and line of every value. No torch."""
