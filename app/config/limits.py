"""Bounds of a batch and of the queue in front of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of a batch and of the queue in front of it; `app.config.settings` says what each means."""

    max_batch_texts: int = 64
    max_batch_tokens: int = 16_384
    max_queue_texts: int = 4_096
    max_queue_tokens: int = 1_048_576
    stuck_after_s: float = 60.0
