"""The endpoint of classification and of sentence vectors: one for every wire form that a request may have.

    read the body -> form.parse -> pick a model -> submit -> wait -> form.render -> send

A wire form is a `Form`. It knows no queue; the endpoint knows no form.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from app.api.openapi import DocumentedRoute, Operation
from app.config.sections import RequestLimits
from app.core.errors import AppError, TextTooLong, TooManyTexts, row_of
from app.core.job import STAGES, Answer, Job, Outcome
from app.deployment.registry import Registry, ServedModel
from app.http.body import read_body
from app.http.deadline import timeout_s
from app.http.disconnect import until_client_leaves
from app.http.excess import EXCESS, too_many
from app.http.request_log import RequestRecord

INLINE_SCORES = 2048
"""Scores up to which an answer is built on the event loop (about a millisecond); larger ones are built in a thread."""

INLINE_NUMBERS = 8192
"""The same of sentence vectors, whose numbers have no names."""

SERVER_TIMING = ", ".join(f"{stage};dur=%.2f" for stage in STAGES).encode()
"""Value of the header Server-Timing: milliseconds of each stage."""

JSON = ((b"content-type", b"application/json"),)

Options = TypeVar("Options")

Rendered = tuple[bytes, Sequence[tuple[bytes, bytes]]]
"""Body and headers of an answer."""


class Call(msgspec.Struct, Generic[Options]):
    """A request once it is parsed.

    Attributes:
        texts: to read.
        options: what `Form.render` needs of the request. They are held while the answer is awaited, so they hold
            neither the body nor a text.
        model, version: by which; the default model, and whichever version its deployment picks, if None.
        max_tokens: reads no more of a text; None for as much as the model reads.
    """

    texts: list[str]
    options: Options
    model: str | None = None
    version: str | None = None
    max_tokens: int | None = None


class Form(ABC, Generic[Options]):
    """A wire form: reads requests, writes answers, and describes both.

    Attributes:
        paths: where requests of this form are posted.
        gives_vectors: true if the answers are sentence vectors, false if they are labels.
    """

    paths: ClassVar[Sequence[str]]
    gives_vectors: ClassVar[bool] = False

    @abstractmethod
    def parse(self, scope: Scope, body: bytes) -> Call[Options]:
        """Reads a request of this form.

        Raises:
            InvalidJson, InvalidRequest: it does not have this form.
        """

    def check(self, model: ServedModel, options: Options) -> None:  # most forms have nothing to check
        """Refuses options that the model cannot serve.

        Raises:
            InvalidRequest: it cannot.
        """

    @abstractmethod
    def render(self, classified: "Classified", options: Options) -> Rendered:
        """Writes the answer; large ones are written in a thread.

        Raises:
            AppError: there is none, for a text failed and the form has no place for its error.
        """

    @abstractmethod
    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the OpenAPI document."""


def classify_routes(form: Form[Options], registry: Registry, limits: RequestLimits) -> list[DocumentedRoute]:
    """Returns the routes of a form, one for each of its paths."""
    endpoint = ClassifyEndpoint(form, registry, limits)
    return [DocumentedRoute(path, endpoint, form.operation(path, limits)) for path in form.paths]


class ClassifyEndpoint(Generic[Options]):
    """The ASGI application that answers requests of one form."""

    def __init__(self, form: Form[Options], registry: Registry, limits: RequestLimits) -> None:
        self._form = form
        self._registry = registry
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request for classification.

        Raises:
            AppError: it gets no answer; says why.
        """
        if EXCESS in scope:
            raise too_many()
        # No name here may hold the body or the texts: that would be megabytes for each request that waits.
        classified, options = self._submit(scope, await read_body(scope, receive, self._limits.max_body_bytes))
        await until_client_leaves(classified.job.done, receive)
        RequestRecord.of(scope).tokens = classified.job.num_tokens
        if classified.is_large:
            loop = asyncio.get_running_loop()
            body, headers = await loop.run_in_executor(
                self._registry.tokenisers, self._form.render, classified, options
            )
        else:
            body, headers = self._form.render(classified, options)
        timing = SERVER_TIMING % tuple([seconds * 1000 for seconds in classified.job.stages_s()])
        length = (b"content-length", str(len(body)).encode())
        headers = [length, *headers, version_header(classified.model), (b"server-timing", timing)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _submit(self, scope: Scope, body: bytes) -> "tuple[Classified, Options]":
        call = self._form.parse(scope, body)
        model = self._model(call)
        self._form.check(model, call.options)
        num_texts, limits = len(call.texts), self._limits
        if num_texts > limits.max_texts:
            raise TooManyTexts.over(limits.max_texts, num_texts, streams=not self._form.gives_vectors)
        record = RequestRecord.of(scope)
        record.model, record.texts = model.name, num_texts
        timeout = timeout_s(scope, limits.deadline_ms)
        classified = submit(
            model, call.texts, timeout, limits.max_chars, call.max_tokens, vectors=self._form.gives_vectors
        )
        record.job = classified.job
        if record.account is not None:
            record.account.classified(num_texts)
        return classified, call.options

    def _model(self, call: Call[Options]) -> ServedModel:
        if not self._form.gives_vectors:
            model = self._registry.get(call.model, call.version)
            model.check_labels()
            return model
        # Never a canary: vectors of two versions cannot be compared, and clients keep them.
        return self._registry.deployment(call.model).primary


@dataclass(frozen=True, slots=True)
class Classified:
    """The texts of one request and the outcome of each; complete when the job is done.

    Attributes:
        model: that reads them.
        job: the distinct texts that are not too long.
        places: for each text of the request its index in the job, or the error of one that is too long; a range where
            the texts are those of the job.
        gives_vectors: true if the answers are sentence vectors.
    """

    model: ServedModel
    job: Job
    places: Sequence[int | TextTooLong]
    gives_vectors: bool = False

    @property
    def is_large(self) -> bool:
        """True if its answer is to be built in a thread."""
        if self.gives_vectors:
            return len(self.places) * self.model.classifier.vector_size > INLINE_NUMBERS
        return len(self.places) * len(self.model.classifier.labels) > INLINE_SCORES

    @property
    def plain(self) -> bool:
        """True if the answers are those of the job, one after another, and none is an error."""
        return isinstance(self.places, range) and not self.job.errors

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each text, in order."""
        outcomes = self.job.outcomes
        return [outcomes[place] if isinstance(place, int) else place for place in self.places]

    def answers(self) -> list[Answer]:
        """Returns the answer to each text, in order, for forms without a place for the error of a single text.

        Raises:
            AppError: the error of the first text that failed; says which it is.
        """
        answers: list[Answer] = []
        for index, outcome in enumerate(self.outcomes):
            if isinstance(outcome, Answer):
                answers.append(outcome)
            else:
                raise self.placed(outcome, index)
        return answers

    def placed(self, error: AppError, index: int) -> AppError:
        """Returns the error of one text, which says which text it is if there are several."""
        if len(self.places) == 1:
            return error
        return type(error)(f"{error} It is text {index} of the request, counted from 0.")


def submit(
    model: ServedModel,
    texts: Sequence[str],
    timeout_s: float,
    max_chars: int,
    max_tokens: int | None = None,
    *,
    vectors: bool = False,
) -> Classified:
    """Submits texts to the model's batcher, of labels or of vectors, equal ones once; await the job's `done`.

    Raises:
        Overloaded, NotReady: the model does not take them now.
    """
    batcher = model.vectors if vectors else model.batcher
    distinct = list(dict.fromkeys(texts))
    if len(distinct) == len(texts) and max(map(len, texts), default=0) <= max_chars:  # nearly always
        return Classified(model, batcher.submit(texts, timeout_s, max_tokens), range(len(texts)), vectors)
    times = Counter(text for text in texts if len(text) <= max_chars)
    distinct = list(times)
    places = {text: place for place, text in enumerate(distinct)}
    too_long = [TextTooLong.over(max_chars, len(text)) for text in texts if len(text) > max_chars]
    job = batcher.submit(distinct, timeout_s, max_tokens, list(times.values()))
    for error in too_long:
        model.metrics.inc_failed(row_of(error).code)
    errors = iter(too_long)
    return Classified(model, job, [places[text] if text in places else next(errors) for text in texts], vectors)


def version_header(model: ServedModel) -> tuple[bytes, bytes]:
    """Returns the header that names the version: not every form has a place for it in its body."""
    return b"x-model-version", model.classifier.version.encode()


def texts_of(inputs: str | list[str]) -> list[str]:
    """Returns a single text as a list of one."""
    return [inputs] if isinstance(inputs, str) else inputs
