"""The OpenAPI document: what FastAPI derives for its own routes, and those outside of it written out.

`POST /predict` is here, the other forms in `app.api.openapi_forms`.

The examples of errors are made by the code that answers errors, so they cannot drift from it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from app.api.schemas import FailedPrediction, Prediction, PredictRequest, PredictResponse
from app.config.sections import RequestLimits
from app.core.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    InvalidJson,
    InvalidRequest,
    NotReady,
    Overloaded,
    TooManyTexts,
    UnknownModel,
    UnsupportedEncoding,
)
from app.http.deadline import TIMEOUT_HEADER
from app.http.problems import PROBLEM_MEDIA_TYPE, Problem, problem_response

DESCRIPTION = """Small, fast text classification.

Every error, whatever its status, is one schema (`Problem`, RFC 9457). Every answer carries `X-Request-Id`."""

REF = "#/components/schemas/{name}"
_STRUCTS = (PredictRequest, PredictResponse, Prediction, FailedPrediction, Problem)

EXAMPLE_REQUESTS = {
    "one": {"summary": "One text", "value": {"inputs": "A warm, funny and moving film."}},
    "several": {
        "summary": "Several texts, only the best label of each",
        "value": {"inputs": ["A warm, funny and moving film.", "Two hours that I want back."], "top_k": 1},
    },
}

VERSION_HEADER = {
    "X-Model-Version": {
        "description": "First 12 hex digits of the digest of the checkpoint that answered.",
        "schema": {"type": "string"},
    }
}

POSITIVE = [{"label": "positive", "score": 0.993}, {"label": "negative", "score": 0.007}]
_WHOLE = {"label": "positive", "score": 0.993, "scores": POSITIVE, "tokens": 8, "truncated": False}
_BEST = {"label": "negative", "score": 0.981, "scores": [{"label": "negative", "score": 0.981}], "tokens": 7}
_FAILED = {"error": {"type": "text_too_long", "detail": "The text has 2500000 characters; the limit is 2000000."}}
_ANSWER = {"model": "sentiment", "version": "3f9c0a1b2c4d"}

EXAMPLE_RESPONSES = {
    "one": {"summary": "One text", "value": _ANSWER | {"predictions": [_WHOLE]}},
    "partial": {
        "summary": "A text that failed by itself",
        "value": _ANSWER | {"predictions": [_BEST | {"truncated": False}, _FAILED]},
    },
}


def problem_responses(*errors: Exception) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses with one example an error; `default` stands for what can meet any route."""
    responses: dict[int | str, dict[str, Any]] = {}
    unexpected = (HTTPException(404), HTTPException(405, headers={"Allow": "GET"}), RuntimeError())
    for key, error in [*((None, error) for error in errors), *(("default", error) for error in unexpected)]:
        problem = json.loads(bytes(problem_response(error).body))
        entry = responses.setdefault(
            key or problem["status"],
            {
                "description": "Not found, a wrong method, or an error of the server" if key else problem["title"],
                "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}, "examples": {}}},
            },
        )
        entry["content"][PROBLEM_MEDIA_TYPE]["examples"][problem["error_type"]] = {"value": problem}
        if "retry-after" in problem_response(error).headers:
            entry["headers"] = {
                "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}}
            }
    return responses


def timeout_parameter(deadline_ms: int) -> dict[str, Any]:
    """The header with which a client shortens its deadline."""
    return {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "description": f"Give up after so many milliseconds; at most the server's {deadline_ms}.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    }


def openapi_of(
    app: FastAPI,
    settings: RequestLimits,
    paths: Mapping[str, Any],
    structs: Sequence[type[msgspec.Struct]],
    complete: Callable[[dict[str, Any]], None],
) -> Callable[[], dict[str, Any]]:
    """A replacement for `app.api.openapi` that knows all routes. Built once, at the first call.

    Args:
        app, settings: of the server.
        paths: what FastAPI does not know, besides `POST /predict`.
        structs: that these refer to.
        complete: adds what concerns every operation.
    """
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            )
            _, schemas = msgspec.json.schema_components((*_STRUCTS, *structs), ref_template=REF)
            schemas["PredictRequest"]["properties"]["inputs"]["anyOf"][1]["maxItems"] = settings.max_texts
            document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
            # First, since it is what everybody came for.
            document["paths"] = {"/predict": {"post": _predict(settings)}, **paths} | document["paths"]
            complete(document)
        return document

    return openapi


def _predict(settings: RequestLimits) -> dict[str, Any]:
    texts, body = settings.max_texts, settings.max_body_bytes
    return {
        "tags": ["classification"],
        "summary": "Classify texts",
        "description": f"Labels with calibrated probabilities, one entry a text, in order. At most {texts} texts and "
        f"{body} bytes a request; many texts in one request cost far less than many requests. A text that fails by "
        "itself gets an `error` in its place. The body is read as JSON whatever its Content-Type.",
        "operationId": "predict",
        "parameters": [
            timeout_parameter(settings.deadline_ms),
            {
                "name": "X-Request-Id",
                "in": "header",
                "description": "Comes back in the answer and stands in the log; made up if absent or unfit.",
                "schema": {"type": "string"},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF.format(name="PredictRequest")},
                    "examples": EXAMPLE_REQUESTS,
                }
            },
        },
        "responses": {
            "200": {
                "description": "One entry a text, in the order of the request.",
                "headers": {
                    **VERSION_HEADER,
                    "Server-Timing": {
                        "description": "Milliseconds waiting, tokenising, queueing and computing.",
                        "schema": {"type": "string"},
                    },
                },
                "content": {
                    "application/json": {
                        "schema": {"$ref": REF.format(name="PredictResponse")},
                        "examples": EXAMPLE_RESPONSES,
                    }
                },
            }
        }
        | {str(status): response for status, response in _predict_problems(settings).items()},
    }


def _predict_problems(settings: RequestLimits) -> dict[int | str, dict[str, Any]]:
    return problem_responses(
        InvalidJson("JSON is malformed: invalid character (byte 12)."),
        UnknownModel(),
        BodyTooLarge.over(settings.max_body_bytes),
        TooManyTexts.over(settings.max_texts, settings.max_texts + 1),
        UnsupportedEncoding(),
        InvalidRequest("Expected `str`, got `int` - at `$.inputs[3]`."),
        RuntimeError(),
        Overloaded(retry_after_s=2),
        NotReady(retry_after_s=1),
        DeadlineExceeded.after(settings.deadline_ms / 1000),
    )
