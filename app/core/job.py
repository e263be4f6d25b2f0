"""Jobs: the texts of one request, from admission to their answers."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from app.core.classifier import Logits, Probabilities
from app.core.errors import AppError, DeadlineExceeded
from model.text import Encoded

STAGES = ("wait", "tokenise", "queue", "compute")
"""Stages of a job: until a tokeniser is free, tokenising, until the device takes it, on the device."""

READ, RESPOND = "read", "respond"
"""Stages around it: reading the body, until it is a job; writing and sending the answer."""


class Answer(NamedTuple):
    """Probabilities, tokens and calibrated logits of one text."""

    probabilities: Probabilities
    encoded: Encoded
    logits: Logits


Outcome: TypeAlias = Answer | AppError
"""The answer to one text, or the error of that text alone."""


class Job:
    """Texts of one request, their outcomes as they come in, and the future that ends the wait.

    Only the event loop changes a job. Other threads read `alive` before they spend work on it and stamp the times,
    which are seconds of `time.monotonic` that metrics and `Server-Timing` are made of.

    Attributes:
        done: resolves when every text has an outcome, or raises the error of the whole request. Cancelling it, as
            when the task that awaits it is cancelled, abandons the job.
        num_texts: of the job.
        timeout_s: time to the answer; `expire` is to be called when it is over.
        digests: of the texts, if answers are remembered; else empty.
        max_tokens: how much of each text is read; None for as much as the model reads.
        encoded: each text's tokens, None until it is tokenised.
        outcomes: of the texts that have one, by index; of all of them once the job is answered.
        num_tokens: of all texts, after truncation; complete when the job is done.
    """

    def __init__(
        self,
        texts: Sequence[str],
        timeout_s: float,
        loop: asyncio.AbstractEventLoop,
        digests: Sequence[bytes] = (),
        max_tokens: int | None = None,
    ) -> None:
        self._texts = list(texts)
        self.num_texts = len(texts)
        self.timeout_s = timeout_s
        self.digests = digests
        self.max_tokens = max_tokens
        self.encoded: list[Encoded | None] = [None] * len(texts)
        self.outcomes: dict[int, Outcome] = {}
        self.done: asyncio.Future[None] = loop.create_future()
        self.admitted_at = self.started_at = self.encoded_at = self.taken_at = self.finished_at = time.monotonic()
        if not texts:
            self.done.set_result(None)

    def take(self, index: int) -> str:
        """Hands over a text, once: the job does not keep megabytes of text while tokens wait for the device."""
        text, self._texts[index] = self._texts[index], ""
        return text

    @property
    def alive(self) -> bool:
        """True while somebody waits for the answer."""
        return not self.done.done()

    @property
    def answered(self) -> bool:
        """True once each text has an outcome and the request no error."""
        return self.done.done() and not self.done.cancelled() and self.done.exception() is None

    @property
    def num_tokens(self) -> int:
        """Tokens of the texts that were tokenised."""
        return sum([len(encoded.ids) for encoded in self.encoded if encoded is not None])

    def settle(self, index: int, outcome: Outcome) -> None:
        """Notes the outcome of one text; the last one ends the wait."""
        if not self.alive:
            return
        self.outcomes[index] = outcome
        if len(self.outcomes) == self.num_texts:
            self.finished_at = time.monotonic()
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Ends the wait with an error for the whole request, unless it has ended already."""
        if self.alive:
            self.done.set_exception(error)

    def expire(self) -> None:
        """Ends the wait since the deadline has passed, unless it has ended already."""
        self.fail(DeadlineExceeded.after(self.timeout_s))

    def stages_s(self) -> list[float]:
        """Seconds that a finished job spent in each of `STAGES`; they add up to the whole."""
        # A stage that no text reached has a stamp too early: it took no time.
        started = max(self.admitted_at, self.started_at)
        encoded = max(started, self.encoded_at)
        taken = max(encoded, self.taken_at)
        return [
            started - self.admitted_at,
            encoded - started,
            taken - encoded,
            max(taken, self.finished_at) - taken,
        ]


@dataclass(slots=True)
class Item:
    """One tokenised text of a job, waiting for the device."""

    job: Job
    index: int
    encoded: Encoded

    @property
    def num_tokens(self) -> int:
        """Tokens that the text costs; at least one, since even an empty text takes a row."""
        return max(1, self.encoded.num_tokens)


def live(items: Iterable[Item]) -> list[Item]:
    """Items that somebody still waits for."""
    return [item for item in items if item.job.alive]
