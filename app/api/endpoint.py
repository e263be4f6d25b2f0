"""Texts in, outcomes out: the steps that every form of request shares.

How many there may be, what is too long, equal texts once, a permit, the wait while the client is watched, the record
for the log, a failure that belongs to one text. What the texts came in and what the answer looks like is the caller's.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.types import Receive, Scope, Send

from app.config.sections import RequestLimits
from app.core.classifier import Probabilities
from app.core.errors import AppError, TextTooLong, TooManyTexts, row_of
from app.core.job import STAGES, Job
from app.deployment.registry import Registry, ServedModel
from app.http.deadline import timeout_s
from app.http.disconnect import until_client_leaves
from app.http.request_log import RequestRecord
from model.text import Encoded

INLINE_SCORES = 2048
"""Scores up to which an answer is built on the event loop (about a millisecond); larger ones are built in a thread."""

SERVER_TIMING = ", ".join(f"{stage};dur=%.2f" for stage in STAGES).encode()
"""Milliseconds of each stage."""

JSON = ((b"content-type", b"application/json"),)

T = TypeVar("T")

Outcome = tuple[Probabilities, Encoded] | Exception
"""What became of one text."""


@dataclass(frozen=True, slots=True)
class Classified:
    """Texts of one request and what becomes of each; complete when the job is done.

    Attributes:
        model: whose answers they are.
        job: the distinct ones that are not too long.
        places: of each text as it came, where it is in the job, or why it is not.
    """

    model: ServedModel
    job: Job
    places: Sequence[int | TextTooLong]

    def each(self, answer: Callable[[Probabilities, Encoded], T], failure: Callable[[Exception], T]) -> list[T]:
        """One value a text, in order; equal texts share theirs."""
        values: dict[int, T] = {}
        for index, (outcome, encoded) in enumerate(zip(self.job.outcomes, self.job.encoded, strict=True)):
            if isinstance(outcome, Exception):
                values[index] = failure(outcome)
            elif outcome is not None and encoded is not None:
                values[index] = answer(outcome, encoded)
        return [values[place] if isinstance(place, int) else failure(place) for place in self.places]

    @property
    def outcomes(self) -> list[Outcome]:
        """Of each text, in order."""
        return self.each(_pair, _itself)

    def all(self, answer: Callable[[Probabilities, Encoded], T]) -> list[T]:
        """One value a text, in order, for forms without a place for the error of a single text.

        Raises:
            AppError: that of the first text that failed; says which it is.
        """
        values: list[T] = []
        for index, outcome in enumerate(self.outcomes):
            if isinstance(outcome, Exception):
                raise self._placed(outcome, index)
            values.append(answer(*outcome))
        return values

    def _placed(self, error: Exception, index: int) -> Exception:
        if len(self.places) == 1 or not isinstance(error, AppError):
            return error
        return type(error)(f"{error} It is text {index} of the request, counted from 0.")


def _pair(row: Probabilities, encoded: Encoded) -> Outcome:
    return row, encoded


def _itself(error: Exception) -> Outcome:
    return error


def begin(model: ServedModel, texts: Sequence[str], timeout_s: float, max_chars: int) -> Classified:
    """Sends texts on their way; await the job's `done`.

    Raises:
        Overloaded, NotReady: the model does not take them now.
    """
    distinct: dict[str, int] = {}
    places = [
        distinct.setdefault(text, len(distinct)) if len(text) <= max_chars else TextTooLong.over(max_chars, len(text))
        for text in texts
    ]
    classified = Classified(model, model.batcher.submit(list(distinct), timeout_s), places)
    for place in places:
        if isinstance(place, TextTooLong):
            model.metrics.inc_failed(row_of(place).code)
    return classified


def classify(model: ServedModel, settings: RequestLimits, scope: Scope, texts: Sequence[str]) -> Classified:
    """Sends the texts of a request whose body has been read on their way; await `finished`.

    Call it from a function that ends: whoever still holds the body or the texts while the answers are awaited holds
    megabytes, for each request that waits.

    Raises:
        AppError: the request gets no answer; says why.
    """
    if len(texts) > settings.max_texts:
        raise TooManyTexts.over(settings.max_texts, len(texts))
    record = RequestRecord.of(scope)
    record.model, record.texts = model.name, len(texts)
    classified = begin(model, texts, timeout_s(scope, settings.deadline_ms), settings.max_chars)
    record.job = classified.job
    if record.account is not None:
        record.account.classified(len(texts))
    return classified


async def finished(classified: Classified, scope: Scope, receive: Receive) -> Classified:
    """Waits for all answers.

    Raises:
        AppError: there is none; says why.
    """
    await until_client_leaves(classified.job.done, receive)
    RequestRecord.of(scope).tokens = classified.job.num_tokens
    return classified


async def built(registry: Registry, classified: Classified, build: Callable[[], T]) -> T:
    """What `build` makes of the outcomes; it runs in a thread where it would hold up the event loop."""
    if len(classified.places) * len(classified.model.classifier.labels) > INLINE_SCORES:
        return await asyncio.get_running_loop().run_in_executor(registry.tokenisers, build)
    return build()


async def answer(
    send: Send, classified: Classified, body: bytes, headers: Sequence[tuple[bytes, bytes]] = JSON
) -> None:
    """Sends the body, its length, the version that answered and the times that it took."""
    timing = SERVER_TIMING % tuple(seconds * 1000 for seconds in classified.job.stages_s())
    length = (b"content-length", str(len(body)).encode())
    headers = [length, *headers, version_header(classified.model), (b"server-timing", timing)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def version_header(model: ServedModel) -> tuple[bytes, bytes]:
    """Which version answers: not every form has a place for it in its body."""
    return b"x-model-version", model.classifier.version.encode()


def texts_of(inputs: str | list[str]) -> list[str]:
    """A single text as a list of one."""
    return [inputs] if isinstance(inputs, str) else inputs
