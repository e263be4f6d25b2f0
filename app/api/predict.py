"""`POST /predict`: Sluice's own form, with a place for the error of each text.

A FastAPI route with pydantic models costs about 100 µs a request more than this path through msgspec.
"""

from typing import Any

import msgspec
from starlette.types import Scope

from app.api.endpoint import JSON, Call, Classified, Form, Rendered, texts_of
from app.api.openapi import CLASSIFICATION, EXAMPLES, Operation, described
from app.api.rendering import failed, prediction, predictions
from app.api.schemas import FailedPrediction, Prediction, PredictRequest, PredictResponse
from app.api.selection import Wanted, select
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest, UnknownModel
from app.core.job import Answer
from app.deployment.registry import ServedModel
from app.http.json import Parser

PATH = "/predict"

MANY = 8
"""Texts from which it costs less to render all of them together than one by one."""

parse_predict = Parser(PredictRequest, {"inputs": "A good film."}).parse
_encode = msgspec.json.Encoder().encode


class PredictForm(Form[Wanted]):
    """The form of `POST /predict`."""

    paths = (PATH,)

    def parse(self, scope: Scope, body: bytes) -> Call[Wanted]:
        """Reads a `PredictRequest` from JSON."""
        request = parse_predict(body)
        wanted = Wanted(request.top_k, request.labels, request.min_precision)
        return Call(texts_of(request.inputs), wanted, request.model)

    def check(self, model: ServedModel, options: Wanted) -> None:
        """Refuses labels that the model does not have, and a precision that it does not reach."""
        select(model.classifier, options)

    def render(self, classified: Classified, options: Wanted) -> Rendered:
        """Writes a `PredictResponse` as JSON."""
        model = classified.model
        labels, selection, job = model.classifier.labels, select(model.classifier, options), classified.job
        many = classified.plain and len(classified.places) >= MANY and selection.places is None
        if many and (found := job.answered_texts()) is not None:
            entries: list[Any] = predictions(labels, *found, selection)
        else:
            entries = [
                prediction(labels, outcome, selection) if isinstance(outcome, Answer) else failed(outcome)
                for outcome in classified.outcomes
            ]
        return _encode(PredictResponse(model.name, model.version, entries)), JSON

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        request_id = described("string", "Comes back in the answer and stands in the log; made up if absent or unfit.")
        timing = described("string", "Milliseconds waiting, tokenising, queueing and computing.")
        return Operation(
            id="predict",
            tag=CLASSIFICATION,
            summary="Classify texts",
            description="Labels with calibrated probabilities, one entry a text, in order. At most "
            f"{limits.max_texts} texts and {limits.max_body_bytes} bytes a request; many texts in one request cost far "
            "less than many requests. A text that fails by itself gets an `error` in its place. The body is read as "
            "JSON whatever its Content-Type.",
            request=PredictRequest,
            response=PredictResponse,
            kinds=(Prediction, FailedPrediction),
            examples=EXAMPLES["predict"],
            limits=limits,
            errors=[UnknownModel(), InvalidRequest("Expected `str`, got `int` - at `$.inputs[3]`."), RuntimeError()],
            parameters=[{"name": "X-Request-Id", "in": "header", **request_id}],
            headers={"Server-Timing": timing},
        )
