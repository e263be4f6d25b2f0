"""The training loop: batches, losses, optimizer, state, data parallelism."""
