"""What the OpenAPI document says of `POST /explain`."""

from typing import Any

import msgspec

from app.errors import (
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
from app.explain import PATH, ExplainRequest, ExplainResponse
from app.openapi import REF, VERSION_HEADER, problem_responses, timeout_parameter
from app.settings import Settings
from model.explanation import Explanation, Unexplained

STRUCTS = (ExplainRequest, ExplainResponse)

_ANSWER = {"model": "sentiment", "version": "e3e5ac599d0d"}

EXAMPLES: dict[str, tuple[Any, Any]] = {}
"""A request and its answer, by what it shows."""


def explain_paths(settings: Settings) -> dict[str, Any]:
    """The path with its operation."""
    return {PATH: {"post": _explain(settings)}}


def describe_explanations(document: dict[str, Any], settings: Settings) -> None:
    """Adds what the entries of an answer look like, and how many there may be."""
    schemas = document["components"]["schemas"]
    inputs = schemas["ExplainRequest"]["properties"]["inputs"]
    inputs["anyOf"][1]["maxItems"] = settings.explain_max_texts
    _, entries = msgspec.json.schema_components((Explanation, Unexplained), ref_template=REF)
    for name, schema in entries.items():
        schemas.setdefault(name, schema)  # `LabelScore` is there: the same, with its bounds


def _explain(settings: Settings) -> dict[str, Any]:
    return {
        "tags": ["classification"],
        "summary": "Explain what label texts get",
        "description": "For each text what its tokens and words do to the log-odds of its label (integrated gradients, "
        "and occlusion as an independent check), the scores of its sentences and the gates of the network. At most "
        f"{settings.explain_max_texts} texts a request, of at most {settings.explain_max_tokens} tokens each. One "
        "costs dozens of predictions and is computed by a process of its own, of the lowest priority, that starts "
        "with the first request: that one takes seconds. A text that cannot be explained gets an `error` in its place.",
        "operationId": "explain",
        "parameters": [timeout_parameter(settings.explain_deadline_ms)],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF.format(name="ExplainRequest")},
                    "examples": {name: {"value": request} for name, (request, _) in EXAMPLES.items()},
                }
            },
        },
        "responses": {
            "200": {
                "description": "One entry a text, in the order of the request.",
                "headers": VERSION_HEADER,
                "content": {
                    "application/json": {
                        "schema": {"$ref": REF.format(name="ExplainResponse")},
                        "examples": {name: {"value": answer} for name, (_, answer) in EXAMPLES.items()},
                    }
                },
            }
        }
        | {str(status): response for status, response in _problems(settings).items()},
    }


def _problems(settings: Settings) -> dict[int | str, dict[str, Any]]:
    most = settings.explain_max_texts
    return problem_responses(
        InvalidJson("JSON is malformed: invalid character (byte 12)."),
        UnknownModel("No model has this name; GET /models lists those that there are."),
        BodyTooLarge(f"The body is larger than {settings.max_body_bytes} bytes."),
        TooManyTexts(f"The request has {most + 1} texts; the limit is {most}."),
        UnsupportedEncoding("Send the body as it is, without Content-Encoding."),
        InvalidRequest("The model has no such label; GET /models lists those that it has - at `$.label`."),
        RuntimeError(),
        Overloaded("The queue has no room for this request; try again later.", retry_after_s=2),
        NotReady("The process that explains died and is being replaced.", retry_after_s=2),
        DeadlineExceeded(f"The answer was not ready within {settings.explain_deadline_ms} ms."),
    )
