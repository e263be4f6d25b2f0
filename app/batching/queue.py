"""The queue of tokenised texts in front of the device."""

import threading
from collections import deque
from collections.abc import Sequence

from app.batching.policy import BatchPolicy
from app.core.job import Piece, live


class BatchQueue:
    """First come, first served, in the batches of a policy. Safe to use from any thread.

    While the device is busy and a full batch is waiting, that batch is cut ahead of time; less than a full one is left
    to grow until it is taken.

    Args:
        policy: chooses the texts of each batch.
    """

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._waiting: deque[Piece] = deque()
        self._waiting_texts = self._waiting_tokens = 0
        self._ahead: list[Piece] = []
        self._closed = False
        self._changed = threading.Condition()

    def put(self, pieces: Sequence[Piece]) -> None:
        """Appends texts; drops them if the queue is closed, whose owner answers for all jobs."""
        with self._changed:
            if self._closed:
                return
            self._waiting.extend(pieces)
            self._count(pieces, 1)
            self._changed.notify()

    @property
    def full(self) -> bool:
        """True if at least one whole batch is waiting."""
        return self._waiting_texts >= self._policy.max_texts or self._waiting_tokens >= self._policy.max_tokens

    @property
    def empty(self) -> bool:
        """True if nothing waits."""
        return not (self._waiting or self._ahead)

    def cut_ahead(self) -> None:
        """Cuts the next batch now if a full one is waiting and none is cut yet."""
        with self._changed:
            if self.full and not self._ahead:
                self._ahead = self._cut()

    def take(self) -> list[Piece]:
        """Waits for texts and returns the next batch, without those that nobody waits for; empty once closed."""
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
            self._waiting_texts = self._waiting_tokens = 0
            self._changed.notify_all()

    def _cut(self) -> list[Piece]:
        window: list[Piece] = []
        lengths: list[int] = []
        while self._waiting and len(lengths) < self._policy.window:
            piece = self._waiting.popleft()
            self._count([piece], -1)
            if piece.job.alive:
                window.append(piece)
                lengths += piece.lengths
        if not window:
            return []
        chosen = self._policy.cut(lengths[: self._policy.window])
        if len(chosen) == len(lengths):
            return window
        batch, rest = _divide(window, set(chosen))
        self._waiting.extendleft(reversed(rest))
        self._count(rest, 1)
        return batch

    def _count(self, pieces: Sequence[Piece], sign: int) -> None:
        for piece in pieces:
            self._waiting_texts += sign * len(piece.lengths)
            self._waiting_tokens += sign * piece.num_tokens


def _divide(pieces: Sequence[Piece], chosen: set[int]) -> tuple[list[Piece], list[Piece]]:
    """The chosen texts and the others, by their places among the texts of all pieces."""
    batch: list[Piece] = []
    others: list[Piece] = []
    begin = 0
    for piece in pieces:
        inside = [place for place in range(len(piece)) if begin + place in chosen]
        if len(inside) == len(piece):
            batch.append(piece)
        elif not inside:
            others.append(piece)
        else:
            batch.append(piece.only(inside))
            others.append(piece.only([place for place in range(len(piece)) if begin + place not in chosen]))
        begin += len(piece)
    return batch, others
