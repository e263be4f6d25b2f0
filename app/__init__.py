"""The HTTP server: routes, batching across requests, limits, health and metrics. Imports `model`, never torch."""

VERSION = "0.1.0"
