"""The queue of tokenised texts in front of the device."""

import threading
from collections import deque
from collections.abc import Sequence

from app.batching.policy import BatchPolicy
from app.core.job import Item, live


class BatchQueue:
    """First come, first served, in the batches of a policy. Safe to use from any thread.

    While the device is busy and a full batch is waiting, that batch is cut ahead of time; less than a full one is left
    to grow until it is taken.

    Args:
        policy: chooses the texts of each batch.
    """

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._waiting: deque[Item] = deque()
        self._waiting_tokens = 0
        self._ahead: list[Item] = []
        self._closed = False
        self._changed = threading.Condition()

    def put(self, items: Sequence[Item]) -> None:
        """Appends items; drops them if the queue is closed, whose owner answers for all jobs."""
        with self._changed:
            if self._closed:
                return
            self._waiting.extend(items)
            self._waiting_tokens += sum(item.num_tokens for item in items)
            self._changed.notify()

    @property
    def full(self) -> bool:
        """True if at least one whole batch is waiting."""
        return len(self._waiting) >= self._policy.max_texts or self._waiting_tokens >= self._policy.max_tokens

    @property
    def empty(self) -> bool:
        """True if nothing waits."""
        return not (self._waiting or self._ahead)

    def cut_ahead(self) -> None:
        """Cuts the next batch now if a full one is waiting and none is cut yet."""
        with self._changed:
            if self.full and not self._ahead:
                self._ahead = self._cut()

    def take(self) -> list[Item]:
        """Waits for items and returns the next batch, without those that nobody waits for; empty once closed."""
        with self._changed:
            while not self._closed:
                batch = live(self._ahead) or self._cut()
                self._ahead = []
                if batch:
                    return batch
                self._changed.wait()
            return []

    def close(self) -> None:
        """Ends every `take`, now and later, and forgets what is waiting."""
        with self._changed:
            self._closed = True
            self._ahead = []
            self._waiting.clear()
            self._waiting_tokens = 0
            self._changed.notify_all()

    def _cut(self) -> list[Item]:
        window: list[Item] = []
        while self._waiting and len(window) < self._policy.window:
            item = self._waiting.popleft()
            self._waiting_tokens -= item.num_tokens
            if item.job.alive:
                window.append(item)
        if not window:
            return []
        chosen = self._policy.cut([item.num_tokens for item in window])
        if len(chosen) == len(window):
            return window
        batch = [window[index] for index in chosen]
        for index in sorted(chosen, reverse=True):
            del window[index]
        self._waiting.extendleft(reversed(window))
        self._waiting_tokens += sum(item.num_tokens for item in window)
        return batch
