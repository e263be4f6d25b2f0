"""Errors, jobs and contracts that the whole server shares; nothing here knows HTTP."""
