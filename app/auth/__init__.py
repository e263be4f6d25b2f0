"""API keys, their roles and their rates."""
