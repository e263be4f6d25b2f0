"""The queue in front of the device, and which of the waiting texts share the next batch."""

import threading
from collections import deque
from collections.abc import Sequence

from app.core.job import Item, live

WINDOW_BATCHES = 8
"""A batch is chosen among the oldest eight batches' worth of texts. Wider saves little padding and costs sorting."""

FREE_PADDING = 2048
"""Padded tokens up to which a batch is worth filling whatever the padding: a launch costs about as much."""


def choose(lengths: Sequence[int], *, max_texts: int, max_tokens: int) -> list[int]:
    """Indexes of the texts that make the next batch: the oldest one and those nearest to it in length.

    Grows from the oldest text towards whichever neighbour in length adds less padding. Stops at `max_texts`, at
    `max_tokens` counted with padding, or where padding would be more than half of the work.

    Args:
        lengths: tokens of the waiting texts, each at least 1, oldest first.
        max_texts: most texts in the batch.
        max_tokens: most tokens in the batch, padding included.

    >>> sorted(choose([4, 90, 5, 4, 91], max_texts=64, max_tokens=15))
    [0, 2, 3]
    >>> choose([900, 1, 1], max_texts=64, max_tokens=512)  # too long for the bound, but it must go some time
    [0]
    """
    padded = max(lengths) * len(lengths)
    if len(lengths) <= max_texts and padded <= min(max_tokens, max(FREE_PADDING, 2 * sum(lengths))):
        return list(range(len(lengths)))  # all of them: mostly so, and choosing costs microseconds a text
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    low = high = order.index(0)
    real = lengths[0]
    while high - low + 1 < max_texts:
        count = high - low + 2
        longest = lengths[order[high]]
        options = []
        if low > 0:
            shorter = lengths[order[low - 1]]
            options.append((longest - shorter, longest * count, real + shorter, low - 1, high))
        if high + 1 < len(order):
            longer = lengths[order[high + 1]]
            options.append(((longer - longest) * (count - 1), longer * count, real + longer, low, high + 1))
        for _added_padding, padded, total, new_low, new_high in sorted(options):
            if padded <= max_tokens and padded <= max(FREE_PADDING, 2 * total):
                low, high, real = new_low, new_high, total
                break
        else:
            break
    return order[low : high + 1]


class BatchQueue:
    """First come, first served, in batches of similar length. Safe to use from any thread.

    The oldest text is in the next batch whatever its length, so none waits for ever. While the device is busy and a
    full batch is waiting, that batch is cut ahead of time; less than a full one is left to grow until it is taken.

    Args:
        max_texts, max_tokens: bounds of a batch.
        pads: whether a batch costs its longest text for each of its texts; if not, the oldest ones make the next batch.
    """

    def __init__(self, *, max_texts: int, max_tokens: int, pads: bool = True) -> None:
        self._pads = pads
        self._max_texts = max_texts
        self._max_tokens = max_tokens
        self._waiting: deque[Item] = deque()
        self._waiting_tokens = 0
        self._formed: list[Item] = []
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
        """Whether at least one whole batch is waiting."""
        return len(self._waiting) >= self._max_texts or self._waiting_tokens >= self._max_tokens

    def form_ahead(self) -> None:
        """Cuts the next batch now if a full one is waiting and none is cut yet."""
        with self._changed:
            if self.full and not self._formed:
                self._formed = self._cut()

    def take(self) -> list[Item]:
        """Waits for items and returns the next batch, without those that nobody waits for; empty once closed."""
        with self._changed:
            while not self._closed:
                batch = live(self._formed) or self._cut()
                self._formed = []
                if batch:
                    return batch
                self._changed.wait()
            return []

    def close(self) -> None:
        """Ends every `take`, now and later, and forgets what is waiting."""
        with self._changed:
            self._closed = True
            self._formed = []
            self._waiting.clear()
            self._waiting_tokens = 0
            self._changed.notify_all()

    def _cut(self) -> list[Item]:
        return self._cut_similar() if self._pads else self._cut_oldest()

    def _cut_oldest(self) -> list[Item]:
        batch: list[Item] = []
        tokens = 0
        while self._waiting and len(batch) < self._max_texts:
            if batch and tokens + self._waiting[0].num_tokens > self._max_tokens:
                break
            item = self._waiting.popleft()
            self._waiting_tokens -= item.num_tokens
            if item.job.alive:
                tokens += item.num_tokens
                batch.append(item)
        return batch

    def _cut_similar(self) -> list[Item]:
        window: list[Item] = []
        while self._waiting and len(window) < WINDOW_BATCHES * self._max_texts:
            item = self._waiting.popleft()
            self._waiting_tokens -= item.num_tokens
            if item.job.alive:
                window.append(item)
        if not window:
            return []
        lengths = [item.num_tokens for item in window]
        chosen = choose(lengths, max_texts=self._max_texts, max_tokens=self._max_tokens)
        batch = [window[index] for index in chosen]
        for index in sorted(chosen, reverse=True):
            del window[index]
        self._waiting.extendleft(reversed(window))
        self._waiting_tokens += sum(item.num_tokens for item in window)
        return batch
