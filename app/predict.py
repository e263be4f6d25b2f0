"""`POST /predict`, on the shortest path that FastAPI's router allows: bytes in, `msgspec` both ways, bytes out.

A FastAPI route with pydantic models costs about 70 µs a request more than this one. `app.openapi` documents it.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from app.errors import ClientGone, TextTooLong, TooManyTexts
from app.jobs import Job
from app.middleware import RequestRecord
from app.models import Models, ServedModel
from app.parsing import parse_predict, read_body, timeout_s
from app.rendering import Entry, failed, predict_body, prediction
from app.routing import NamedRoute
from app.settings import Settings

INLINE_SCORES = 2048
"""Scores up to which the answer is built on the event loop (about a millisecond); larger ones are built in a thread."""


def predict_route(models: Models, settings: Settings) -> NamedRoute:
    """The route of `POST /predict`."""

    async def predict(request: Request) -> Response:
        body = await read_body(request.scope, request.receive, settings.max_body_bytes)
        call = parse_predict(body)
        texts = [call.inputs] if isinstance(call.inputs, str) else call.inputs
        if len(texts) > settings.max_texts:
            raise TooManyTexts(f"The request has {len(texts)} texts; the limit is {settings.max_texts}.")
        model = models.get(call.model)
        record = RequestRecord.of(request.scope)
        record.model, record.texts = model.name, len(texts)

        # Equal texts are computed once, and what is too long is not computed at all.
        short = [text for text in dict.fromkeys(texts) if len(text) <= settings.max_chars]
        job = model.batcher.submit(short, timeout_s(request.scope, settings.deadline_ms))
        await _finish(job, request.receive)
        record.tokens = job.num_tokens

        def build() -> bytes:
            answers = _entries(model, job, call.top_k)
            entries = [answers.get(text) or _too_long(model, text, settings.max_chars) for text in texts]
            return predict_body(model, entries)

        if len(texts) * len(model.classifier.labels) > INLINE_SCORES:
            answer = await asyncio.get_running_loop().run_in_executor(models.tokenisers, build)
        else:
            answer = build()
        timing = ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in job.stages_s().items())
        return Response(answer, 200, {"server-timing": timing}, "application/json")

    return NamedRoute("/predict", predict, methods=["POST"], include_in_schema=False)


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

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        job.fail(ClientGone("The client left before its answer was ready."))

    watcher = asyncio.ensure_future(watch())
    try:
        await job.done
    finally:
        watcher.cancel()
