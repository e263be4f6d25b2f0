"""The report after training: one HTML page and the same as JSON."""
