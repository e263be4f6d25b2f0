"""Configuration of a run: defaults, recipes, files and command-line settings."""
