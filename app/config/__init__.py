"""Settings of the server: read once at the edge, then passed as values."""
