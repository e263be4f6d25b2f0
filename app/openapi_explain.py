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

_NEGATIVE = [{"label": "negative", "score": 0.998006}, {"label": "positive", "score": 0.001994}]
_PARTS = [
    {"text": "Not", "start": 0, "end": 3, "score": 5.023415, "occlusion": 9.971919},
    {"text": "good", "start": 4, "end": 8, "score": 0.980724, "occlusion": 4.154697},
    {"text": ".", "start": 8, "end": 9, "score": 0.518187, "occlusion": 0.023921},
]
_TOTALS = {"value": 6.215503, "baseline": -0.304987, "gap": 0.000282, "steps": 16}
_ENTRY = {"label": "negative", "score": 0.998006, "scores": _NEGATIVE, "tokens": 3, "truncated": False}
_BARE = [{name: part[name] for name in ("text", "start", "end", "score")} for part in _PARTS]

_GATES = [
    {
        "layer": 0,
        "direction": "forward",
        "mean": {
            "forget": [0.635733, 0.661963, 0.589332],
            "input": [0.540817, 0.343765, 0.235325],
            "output": [0.484526, 0.434229, 0.314643],
            "candidate": [-0.067822, 0.03172, -0.071874],
            "cell": [-0.042428, -0.000583, -0.020031],
            "hidden": [-0.033777, 0.00587, -0.005554],
        },
        "units": [
            {
                "unit": 17,
                "forget": [0.684553, 0.68724, 0.682588],
                "input": [0.48884, 0.479108, 0.440492],
                "output": [0.423716, 0.70638, 0.680073],
                "candidate": [0.307966, 0.03301, -0.460838],
                "cell": [0.150546, 0.119277, -0.121579],
                "hidden": [0.063311, 0.083857, -0.082277],
            }
        ],
    },
    {
        "layer": 0,
        "direction": "backward",
        "mean": {
            "forget": [0.566483, 0.695474, 0.648567],
            "input": [0.574543, 0.441991, 0.343472],
            "output": [0.503371, 0.426955, 0.39001],
            "candidate": [0.0392, -0.07286, 0.034566],
            "cell": [0.051641, -0.031643, 0.013401],
            "hidden": [0.030826, -0.01409, 0.004545],
        },
        "units": [
            {
                "unit": 17,
                "forget": [0.601491, 0.743214, 0.691224],
                "input": [0.751958, 0.183048, 0.504421],
                "output": [0.593741, 0.367467, 0.526884],
                "candidate": [-0.894703, 0.389548, 0.424785],
                "cell": [-0.534103, 0.230555, 0.214271],
                "hidden": [-0.290049, 0.083251, 0.111199],
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
                    "sentences": [{"text": "Not good.", "start": 0, "end": 9, "label": "negative", "score": 0.998006}],
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
"""A request and what the shipped checkpoint answers, by what it shows."""

FAILED = {
    "error": {"type": "text_too_long", "detail": "The text has 600 tokens; one of more than 512 is not explained."}
}
"""What stands in the place of a text that is not explained."""


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
                        "examples": {name: {"value": answer} for name, (_, answer) in EXAMPLES.items()}
                        | {"failed": {"value": _ANSWER | {"explanations": [FAILED]}}},
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
