"""Figures of a sentiment checkpoint on public sets: those of its card and of docs/results.md."""
