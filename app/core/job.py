"""Jobs: the texts of one request, from admission to their answers."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import mul
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from app.core.classifier import Logits, Probabilities
from app.core.errors import AppError, DeadlineExceeded
from model.text import Encoded

STAGES = ("wait", "tokenise", "queue", "compute")
"""Stages of a job: until a tokeniser is free, tokenising, until the device takes it, on the device."""

READ, RESPOND = "read", "respond"
"""Stages around it: reading the body, until it is a job; writing and sending the answer."""


class Scores(NamedTuple):
    """Probabilities and calibrated logits of N texts, each [N, labels]."""

    probabilities: Probabilities
    logits: Logits

    @property
    def num_texts(self) -> int:
        """Number of texts that were scored."""
        return len(self.probabilities)

    def part(self, start: int, end: int) -> "Scores":
        """Scores of some of the texts, as views."""
        return Scores(self.probabilities[start:end], self.logits[start:end])


class Answer(NamedTuple):
    """Probabilities, tokens and calibrated logits of one text."""

    probabilities: Probabilities
    encoded: Encoded
    logits: Logits


Outcome: TypeAlias = Answer | AppError
"""The answer to one text, or the error of that text alone."""


class Job:
    """Texts of one request, their outcomes as they come in, and the future that ends the wait.

    Equal texts of a request are one here; `repeats` says how often the request has each, None if each once.

    Only the event loop changes a job. Other threads read `alive` before they spend work on it and stamp the times,
    which are seconds of `time.monotonic` that metrics and `Server-Timing` are made of.

    Attributes:
        done: resolves when every text has an outcome, or raises the error of the whole request. Cancelling it, as
            when the task that awaits it is cancelled, abandons the job.
        num_texts: of the job.
        num_sent: texts of the request that they answer; more if some repeat.
        timeout_s: time to the answer; `expire` is to be called when it is over.
        digests: of the texts, if answers are remembered; else empty.
        max_tokens: how much of each text is read; None for as much as the model reads.
        encoded: each text's tokens, None until it is tokenised.
        scores: of all texts, once the job is answered; those of a text with an error mean nothing. None if every text
            has an error, and if there is none.
        errors: of the texts that failed alone, by index.
        num_tokens: of all texts, after truncation; complete when the job is done.
    """

    def __init__(
        self,
        texts: Sequence[str],
        timeout_s: float,
        loop: asyncio.AbstractEventLoop,
        digests: Sequence[bytes] = (),
        max_tokens: int | None = None,
        repeats: Sequence[int] | None = None,
    ) -> None:
        self._texts = list(texts)
        self._repeats = repeats
        self.num_texts = len(texts)
        self.num_sent = self.num_texts if repeats is None else sum(repeats)
        self.timeout_s = timeout_s
        self.digests = digests
        self.max_tokens = max_tokens
        self.encoded: list[Encoded | None] = [None] * len(texts)
        self.scores: Scores | None = None
        self.errors: dict[int, AppError] = {}
        self._unsettled = len(texts)
        self.done: asyncio.Future[None] = loop.create_future()
        self.admitted_at = self.started_at = self.encoded_at = self.taken_at = self.finished_at = time.monotonic()
        if not texts:
            self.done.set_result(None)

    def take(self, indexes: Sequence[int]) -> list[str]:
        """Hands over texts, once: the job does not keep megabytes of text while tokens wait for the device."""
        if len(indexes) == self.num_texts:
            taken, self._texts = self._texts, []
            return taken
        taken = [self._texts[index] for index in indexes]
        for index in indexes:
            self._texts[index] = ""
        return taken

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

    @property
    def num_truncated(self) -> int:
        """Texts of the request whose end was not read."""
        truncated = [encoded is not None and encoded.truncated for encoded in self.encoded]
        return sum(truncated) if self._repeats is None else sum(map(mul, truncated, self._repeats))

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each text, in order. For a job that is answered."""
        if self.scores is None:
            return [self.errors[index] for index in range(self.num_texts)]
        encoded: Sequence[Any] = self.encoded
        answers = map(Answer, self.scores.probabilities, encoded, self.scores.logits)
        return [self.errors.get(index) or answer for index, answer in enumerate(answers)]

    def answered_texts(self) -> tuple[Sequence[Encoded], Probabilities] | None:
        """The tokens and the probabilities of the texts without an error, if there are any. For an answered job."""
        encoded: Sequence[Any] = self.encoded
        if self.scores is None:
            return None
        if not self.errors:
            return encoded, self.scores.probabilities
        places = [index for index in range(self.num_texts) if index not in self.errors]
        return [encoded[place] for place in places], self.scores.probabilities[places]

    def times_sent(self, index: int) -> int:
        """Returns how often the request has a text."""
        return 1 if self._repeats is None else self._repeats[index]

    def sent_texts(self) -> tuple[Sequence[Encoded], Probabilities] | None:
        """As `answered_texts`, each text as often as the request has it."""
        found = self.answered_texts()
        if found is None or self._repeats is None:
            return found
        times = [times for index, times in enumerate(self._repeats) if index not in self.errors]
        encoded = chain.from_iterable(map(repeat, found[0], times))
        return [*encoded], np.repeat(found[1], times, axis=0)

    def note_tokens(self, indexes: Sequence[int], encoded: Sequence[Encoded]) -> None:
        """Notes the tokens of texts, whose indexes rise."""
        if len(indexes) == self.num_texts:
            self.encoded = [*encoded]
            return
        for index, of_text in zip(indexes, encoded, strict=True):
            self.encoded[index] = of_text

    def settle(self, indexes: Sequence[int], scores: Scores) -> None:
        """Notes the scores of texts, whose indexes rise; the last ones end the wait."""
        if not self.alive:
            return
        if len(indexes) == self.num_texts:
            self.scores = scores
        else:
            if self.scores is None:
                self.scores = Scores(*(np.zeros((self.num_texts, rows.shape[1]), rows.dtype) for rows in scores))
            for rows, of_texts in zip(self.scores, scores, strict=True):
                rows[indexes] = of_texts
        self._count(len(indexes))

    def settle_error(self, index: int, error: AppError) -> None:
        """Notes the error of one text that failed alone; the last outcome ends the wait."""
        if self.alive:
            self.errors[index] = error
            self._count(1)

    def _count(self, num_texts: int) -> None:
        self._unsettled -= num_texts
        if not self._unsettled:
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


@dataclass(slots=True, eq=False)
class Piece:
    """Tokenised texts of a job, waiting for the device: what is done with all of them is done once.

    Attributes:
        indexes: of the texts in the job, rising.
        encoded: their tokens.
        lengths: tokens that each text costs; at least one, since even an empty text takes a row.
        num_tokens: sum of the lengths.
    """

    job: Job
    indexes: Sequence[int]
    encoded: Sequence[Encoded]
    lengths: Sequence[int]
    num_tokens: int

    @classmethod
    def of(cls, job: Job, indexes: Sequence[int], encoded: Sequence[Encoded]) -> Self:
        """Makes a piece of texts and their tokens."""
        lengths = [len(of_text.ids) or 1 for of_text in encoded]
        return cls(job, indexes, encoded, lengths, sum(lengths))

    def __len__(self) -> int:
        """Number of texts in the piece."""
        return len(self.lengths)

    def only(self, places: Sequence[int]) -> "Piece":
        """The texts at these places of the piece, which rise."""
        return Piece.of(self.job, [self.indexes[place] for place in places], [self.encoded[place] for place in places])


def live(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces of jobs that somebody still waits for."""
    return [piece for piece in pieces if piece.job.alive]
