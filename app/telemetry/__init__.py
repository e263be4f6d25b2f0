"""Counters, metrics, drift and traces: figures for operators, never client text."""
