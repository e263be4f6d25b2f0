"""POST /explain: a queue, and a separate low-priority process that computes explanations."""
