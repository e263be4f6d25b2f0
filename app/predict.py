"""`POST /predict`, on the shortest path there is: an ASGI application, bytes in, `msgspec` both ways, bytes out.

A FastAPI route with pydantic models costs about 100 µs a request more than this one. `app.openapi` documents it.
"""

import asyncio

from starlette.types import Receive, Scope, Send

from app.errors import ClientGone, TextTooLong, TooManyTexts
from app.jobs import STAGES, Job
from app.middleware import RequestRecord
from app.models import Models, ServedModel
from app.parsing import parse_predict, read_body, timeout_s
from app.rendering import Entry, failed, predict_body, prediction
from app.routing import NamedRoute
from app.settings import Settings

INLINE_SCORES = 2048
"""Scores up to which the answer is built on the event loop (about a millisecond); larger ones are built in a thread."""

SERVER_TIMING = ", ".join(f"{stage};dur=%.2f" for stage in STAGES).encode()
"""Milliseconds of each stage."""

WATCH_AFTER_S = 0.01
"""Patience with a client before it is watched whether it is still there: most have their answer sooner."""


def predict_route(models: Models, settings: Settings) -> NamedRoute:
    """The route of `POST /predict`."""
    return NamedRoute("/predict", Predict(models, settings), methods=["POST"], include_in_schema=False)


class Predict:
    """The endpoint."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._models = models
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request.

        Raises:
            AppError: it gets no answer, or none of its texts does; says why.
        """
        settings = self._settings
        body = await read_body(scope, receive, settings.max_body_bytes)
        call = parse_predict(body)
        texts = [call.inputs] if isinstance(call.inputs, str) else call.inputs
        if len(texts) > settings.max_texts:
            raise TooManyTexts(f"The request has {len(texts)} texts; the limit is {settings.max_texts}.")
        model = self._models.get(call.model)
        record = RequestRecord.of(scope)
        record.model, record.texts = model.name, len(texts)

        # Equal texts are computed once, and what is too long is not computed at all.
        short = [text for text in dict.fromkeys(texts) if len(text) <= settings.max_chars]
        job = model.batcher.submit(short, timeout_s(scope, settings.deadline_ms))
        await _finish(job, receive)
        record.tokens = job.num_tokens

        def build() -> bytes:
            answers = _entries(model, job, call.top_k)
            entries = [answers.get(text) or _too_long(model, text, settings.max_chars) for text in texts]
            return predict_body(model, entries)

        if len(texts) * len(model.classifier.labels) > INLINE_SCORES:
            answer = await asyncio.get_running_loop().run_in_executor(self._models.tokenisers, build)
        else:
            answer = build()
        timing = SERVER_TIMING % tuple(seconds * 1000 for seconds in job.stages_s())
        headers = [
            (b"content-length", str(len(answer)).encode()),
            (b"content-type", b"application/json"),
            (b"server-timing", timing),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _entries(model: ServedModel, job: Job, top_k: int | None) -> dict[str, Entry]:
    """The answer to each distinct text."""
    labels = model.classifier.labels
    answers: dict[str, Entry] = {}
    for text, outcome, encoded in zip(job.texts, job.outcomes, job.encoded, strict=True):
        if isinstance(outcome, Exception):
            answers[text] = failed(outcome)
        elif outcome is not None and encoded is not None:
            answers[text] = prediction(labels, outcome, encoded, top_k)
    return answers


def _too_long(model: ServedModel, text: str, max_chars: int) -> Entry:
    error = TextTooLong(f"The text has {len(text)} characters; the limit is {max_chars}.")
    model.metrics.failed(error)
    return failed(error)


async def _finish(job: Job, receive: Receive) -> None:
    """Waits for the answers; a client that leaves meanwhile takes its job with it."""
    watcher: asyncio.Task[None] | None = None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        job.fail(ClientGone("The client left before its answer was ready."))

    def begin() -> None:
        nonlocal watcher
        watcher = asyncio.get_running_loop().create_task(watch())

    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, begin)
    try:
        await job.done
    finally:
        timer.cancel()
        if watcher is not None:
            watcher.cancel()
