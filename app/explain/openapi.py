"""Part of the OpenAPI document on `POST /explain`."""

from typing import Any

import msgspec

from app.api.openapi import REF, VERSION_HEADER, problem_responses, timeout_parameter
from app.config.sections import ExplainSettings, RequestLimits
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
from app.explain.endpoint import PATH, ExplainRequest, ExplainResponse
from model.explain.explanation import Explanation, Unexplained

STRUCTS = (ExplainRequest, ExplainResponse)

_ANSWER = {"model": "sentiment", "version": "a6614bf7bb7b"}

_NEGATIVE = [{"label": "negative", "score": 0.986251}, {"label": "positive", "score": 0.013749}]
_PARTS = [
    {"text": "Not", "start": 0, "end": 3, "score": 4.525506, "occlusion": 8.432417},
    {"text": "good", "start": 4, "end": 8, "score": -0.277471, "occlusion": 1.915925},
    {"text": ".", "start": 8, "end": 9, "score": 0.373622, "occlusion": 0.955991},
]
_TOTALS = {"value": 4.272974, "baseline": -0.342946, "gap": 0.001243, "steps": 16}
_ENTRY = {"label": "negative", "score": 0.986251, "scores": _NEGATIVE, "tokens": 3, "truncated": False}
_BARE = [{name: part[name] for name in ("text", "start", "end", "score")} for part in _PARTS]

_GATES = [
    {
        "layer": 0,
        "direction": "forward",
        "mean": {
            "forget": [0.577456, 0.66711, 0.628302],
            "input": [0.553219, 0.247931, 0.163073],
            "output": [0.432447, 0.382429, 0.284178],
            "candidate": [-0.096625, -0.110697, -0.069139],
            "cell": [-0.06062, -0.072164, -0.035956],
            "hidden": [-0.055591, -0.025265, -0.004241],
        },
        "units": [
            {
                "unit": 17,
                "forget": [0.679756, 0.884279, 0.526841],
                "input": [0.583799, 0.141163, 0.079934],
                "output": [0.554643, 0.229308, 0.079822],
                "candidate": [-0.540205, 0.246155, -0.584458],
                "cell": [-0.315371, -0.244128, -0.175335],
                "hidden": [-0.169341, -0.054894, -0.013854],
            }
        ],
    },
    {
        "layer": 0,
        "direction": "backward",
        "mean": {
            "forget": [0.476269, 0.670834, 0.631953],
            "input": [0.43798, 0.399978, 0.237083],
            "output": [0.43908, 0.400764, 0.326394],
            "candidate": [-0.03989, -0.076187, -0.024133],
            "cell": [0.011425, -0.062443, -0.011888],
            "hidden": [0.015092, -0.036769, -0.002379],
        },
        "units": [
            {
                "unit": 17,
                "forget": [0.667495, 0.650429, 0.761022],
                "input": [0.29596, 0.363431, 0.347931],
                "output": [0.514319, 0.335641, 0.325974],
                "candidate": [-0.619468, 0.518372, 0.146613],
                "cell": [-0.03544, 0.221571, 0.051011],
                "hidden": [-0.01822, 0.073175, 0.016614],
            }
        ],
    },
]

EXAMPLES: dict[str, tuple[Any, Any]] = {
    "one": (
        {"inputs": "Not good."},
        _ANSWER
        | {
            "explanations": [
                _ENTRY
                | {
                    "attribution": _TOTALS | {"tokens": _PARTS, "words": _PARTS},
                    "sentences": [{"text": "Not good.", "start": 0, "end": 9, "label": "negative", "score": 0.986251}],
                }
            ]
        },
    ),
    "gates": (
        {"inputs": ["Not good."], "occlusion": False, "sentences": False, "units": [17]},
        _ANSWER
        | {"explanations": [_ENTRY | {"attribution": _TOTALS | {"tokens": _BARE, "words": _BARE}, "gates": _GATES}]},
    ),
}
"""Requests with the answers of the shipped checkpoint, by topic."""

FAILED = {
    "error": {"type": "text_too_long", "detail": "The text has 600 tokens; one of more than 512 is not explained."}
}
"""Entry in the place of a text that is not explained."""


def explain_paths(settings: ExplainSettings, limits: RequestLimits) -> dict[str, Any]:
    """Path of the endpoint with its operation."""
    return {PATH: {"post": _explain(settings, limits)}}


def describe_explanations(document: dict[str, Any], settings: ExplainSettings) -> None:
    """Adds the schemas of an answer's entries, and the limit of texts."""
    schemas = document["components"]["schemas"]
    inputs = schemas["ExplainRequest"]["properties"]["inputs"]
    inputs["anyOf"][1]["maxItems"] = settings.max_texts
    _, entries = msgspec.json.schema_components((Explanation, Unexplained), ref_template=REF)
    for name, schema in entries.items():
        schemas.setdefault(name, schema)


def _explain(settings: ExplainSettings, limits: RequestLimits) -> dict[str, Any]:
    return {
        "tags": ["classification"],
        "summary": "Explain what label texts get",
        "description": "For each text what its tokens and words do to the log-odds of its label (integrated gradients, "
        "and occlusion as an independent check), the scores of its sentences and the gates of the network. At most "
        f"{settings.max_texts} texts a request, of at most {settings.max_tokens} tokens each. One "
        "costs dozens of predictions and is computed by a process of its own, of the lowest priority, that starts "
        "with the first request: that one takes seconds. A text that cannot be explained gets an `error` in its place.",
        "operationId": "explain",
        "parameters": [timeout_parameter(settings.deadline_ms)],
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
                        "examples": {name: {"value": answer} for name, (_, answer) in EXAMPLES.items()}
                        | {"failed": {"value": _ANSWER | {"explanations": [FAILED]}}},
                    }
                },
            }
        }
        | {str(status): response for status, response in _problems(settings, limits).items()},
    }


def _problems(settings: ExplainSettings, limits: RequestLimits) -> dict[int | str, dict[str, Any]]:
    most = settings.max_texts
    return problem_responses(
        InvalidJson("JSON is malformed: invalid character (byte 12)."),
        UnknownModel(),
        BodyTooLarge.over(limits.max_body_bytes),
        TooManyTexts.over(most, most + 1),
        UnsupportedEncoding(),
        InvalidRequest("The model has no such label; GET /models lists those that it has - at `$.label`."),
        RuntimeError(),
        Overloaded(retry_after_s=2),
        NotReady("The process that explains died and is being replaced.", retry_after_s=2),
        DeadlineExceeded.after(settings.deadline_ms / 1000),
    )
