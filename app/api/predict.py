"""`POST /predict`: Sluice's own form, with a place for the error of each text.

A FastAPI route with pydantic models costs about 100 µs a request more than this path through msgspec.
"""

import msgspec
from starlette.types import Scope

from app.api.endpoint import JSON, Call, Classified, Form, Rendered, texts_of
from app.api.openapi import (
    CLASSIFICATION,
    EXAMPLE_SCORES,
    EXAMPLE_TEXT,
    Operation,
    content,
    request_errors,
    timeout_parameter,
)
from app.api.rendering import failed, prediction
from app.api.schemas import FailedPrediction, Prediction, PredictRequest, PredictResponse
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest, UnknownModel
from app.core.job import Answer
from app.http.json import Parser

PATH = "/predict"

EXAMPLE_REQUESTS = {
    "one": {"inputs": EXAMPLE_TEXT},
    "several": {"inputs": [EXAMPLE_TEXT, "Two hours that I want back."], "top_k": 1},
}

_WHOLE = {"label": "positive", "score": 0.993, "scores": EXAMPLE_SCORES, "tokens": 8, "truncated": False}
_BEST = {"label": "negative", "score": 0.981, "scores": [{"label": "negative", "score": 0.981}], "tokens": 7}
_FAILED = {"error": {"type": "text_too_long", "detail": "The text has 2500000 characters; the limit is 2000000."}}
_ANSWER = {"model": "sentiment", "version": "3f9c0a1b2c4d"}

EXAMPLE_RESPONSES = {
    "one": _ANSWER | {"predictions": [_WHOLE]},
    "partial": _ANSWER | {"predictions": [_BEST | {"truncated": False}, _FAILED]},
}

parse_predict = Parser(PredictRequest).parse
_encode = msgspec.json.Encoder().encode


class PredictForm(Form[int | None]):
    """The form of `POST /predict`; its option is `top_k`."""

    paths = (PATH,)

    def parse(self, scope: Scope, body: bytes) -> Call[int | None]:
        """Reads a `PredictRequest` from JSON."""
        request = parse_predict(body)
        return Call(texts_of(request.inputs), request.top_k, request.model)

    def render(self, classified: Classified, options: int | None) -> Rendered:
        """Writes a `PredictResponse` as JSON."""
        model = classified.model
        entries = [
            prediction(model.classifier.labels, outcome, options) if isinstance(outcome, Answer) else failed(outcome)
            for outcome in classified.outcomes
        ]
        return _encode(PredictResponse(model.name, model.version, entries)), JSON

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        texts, size, deadline_ms = limits.max_texts, limits.max_body_bytes, limits.deadline_ms
        request_id = "Comes back in the answer and stands in the log; made up if absent or unfit."
        return Operation(
            id="predict",
            tag=CLASSIFICATION,
            summary="Classify texts",
            description=f"Labels with calibrated probabilities, one entry a text, in order. At most {texts} texts and "
            f"{size} bytes a request; many texts in one request cost far less than many requests. A text that fails "
            "by itself gets an `error` in its place. The body is read as JSON whatever its Content-Type.",
            request=content(PredictRequest, **EXAMPLE_REQUESTS),
            response=content(PredictResponse, **EXAMPLE_RESPONSES),
            kinds=(PredictRequest, PredictResponse, Prediction, FailedPrediction),
            max_texts=texts,
            errors=[
                *request_errors(max_body_bytes=size, max_texts=texts, deadline_ms=deadline_ms),
                UnknownModel(),
                InvalidRequest("Expected `str`, got `int` - at `$.inputs[3]`."),
                RuntimeError(),
            ],
            parameters=[
                timeout_parameter(deadline_ms),
                {"name": "X-Request-Id", "in": "header", "description": request_id, "schema": {"type": "string"}},
            ],
            headers={
                "Server-Timing": {
                    "description": "Milliseconds waiting, tokenising, queueing and computing.",
                    "schema": {"type": "string"},
                }
            },
        )
