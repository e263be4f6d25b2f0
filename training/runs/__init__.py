"""Complete runs, from files of text to a finished checkpoint."""
