"""Logs of a run, written for the tools that show and compare runs."""
