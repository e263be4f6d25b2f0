"""What the OpenAPI document says of the forms besides `POST /predict`: those of other servers, and the stream."""

from typing import Any

from app.api.huggingface import PATHS as HUB_PATHS
from app.api.huggingface import HubRequest
from app.api.oip import INFER_PATHS, LENGTH_HEADER
from app.api.oip_tensors import InferRequest, InferResponse
from app.api.openapi import POSITIVE, REF, VERSION_HEADER, problem_responses, timeout_parameter
from app.api.stream import MAX_LINE_BYTES, LineFailure, LinePrediction, StreamLine
from app.api.vllm import PATHS as VLLM_PATHS
from app.api.vllm import ClassifyRequest, ClassifyResponse
from app.config.sections import RequestLimits
from app.core.errors import (
    BodyTooLarge,
    ComputeError,
    DeadlineExceeded,
    InvalidJson,
    InvalidRequest,
    NotReady,
    Overloaded,
    TextTooLong,
    UnknownModel,
    UnsupportedEncoding,
)
from app.http.problems import V2Error, v2_error_response
from model.explain.explanation import LabelScore

STRUCTS = (
    HubRequest,
    LabelScore,
    ClassifyRequest,
    ClassifyResponse,
    StreamLine,
    LinePrediction,
    LineFailure,
    InferRequest,
    InferResponse,
    V2Error,
)
TEXT = "A warm, funny and moving film."

EXAMPLES: dict[str, tuple[Any, Any]] = {
    "hub": ({"inputs": TEXT, "parameters": {"top_k": 2}}, [POSITIVE]),
    "vllm": (
        {"model": "sentiment", "input": [TEXT]},
        {
            "id": "classify-0f6c2f0f4e5e4bb2a1c9d3f1a7b8c9d0",
            "object": "list",
            "created": 1790000000,
            "model": "sentiment",
            "data": [{"index": 0, "label": "positive", "probs": [0.007, 0.993], "num_classes": 2}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8, "completion_tokens": 0},
        },
    ),
    "v2": (
        {
            "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}],
            "outputs": [{"name": "label"}, {"name": "probabilities"}],
        },
        {
            "model_name": "sentiment",
            "model_version": "3f9c0a1b2c4d",
            "outputs": [
                {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["positive"]},
                {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.007, 0.993]},
            ],
        },
    ),
}
"""A request and its answer, by form."""

EXAMPLE_LINES = (
    f'{{"inputs": "{TEXT}"}}\n{{"inputs": 3}}\n',
    (
        '{"line":1,"label":"positive","score":0.993,"scores":[{"label":"positive","score":0.993},'
        '{"label":"negative","score":0.007}],"tokens":8,"truncated":false}\n'
        '{"line":2,"error":{"type":"invalid_request","detail":"Expected `str`, got `int` - at `$.inputs`."}}\n'
    ),
)


def form_paths(settings: RequestLimits) -> dict[str, Any]:
    """The paths with their operations."""
    return {
        "/predict/stream": {"post": _stream()},
        **{path: {"post": _hub(path, settings)} for path in HUB_PATHS},
        **{path: {"post": _vllm(path, settings)} for path in VLLM_PATHS},
        **{path: {"post": _v2(path, settings)} for path in INFER_PATHS},
    }


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "examples": {"one": {"value": example}}}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": REF.format(name=name)}


def _problems(*errors: Exception, settings: RequestLimits) -> dict[str, Any]:
    whole = (
        InvalidJson("JSON is malformed: invalid character (byte 12)."),
        BodyTooLarge.over(settings.max_body_bytes),
        TextTooLong.over(settings.max_chars, settings.max_chars + 1),
        UnsupportedEncoding(),
        ComputeError(),
        Overloaded(retry_after_s=2),
        NotReady(retry_after_s=1),
        DeadlineExceeded.after(settings.deadline_ms / 1000),
    )
    return {str(status): response for status, response in problem_responses(*whole, *errors).items()}


def _hub(path: str, settings: RequestLimits) -> dict[str, Any]:
    request, response = EXAMPLES["hub"]
    scores = {"type": "array", "items": {"type": "array", "items": _ref("LabelScore")}}
    return {
        "tags": ["forms of other servers"],
        "summary": "Classify texts, SageMaker's form" if path != "/" else "Classify texts, Hugging Face's form",
        "description": "By the default model. The answer is a list of labels for each text, most probable first, in a "
        "list even for one text. There is no place for an error of one text: it fails the request.",
        "operationId": "invocations" if path != "/" else "text_classification",
        "parameters": [timeout_parameter(settings.deadline_ms)],
        "requestBody": {"required": True, "content": _json(_ref("HubRequest"), request)},
        "responses": {
            "200": {
                "description": "One list a text, in order.",
                "headers": VERSION_HEADER,
                "content": _json(scores, response),
            }
        }
        | _problems(
            InvalidRequest("Expected `str | array`, got `int` - at `$.inputs`."),
            settings=settings,
        ),
    }


def _vllm(path: str, settings: RequestLimits) -> dict[str, Any]:
    request, response = EXAMPLES["vllm"]
    return {
        "tags": ["forms of other servers"],
        "summary": "Classify texts, vLLM's form",
        "description": "Fields that vLLM's clients send and that are not listed have no effect. There is no place for "
        "an error of one text: it fails the request.",
        "operationId": "classify_v1" if path.startswith("/v1") else "classify",
        "parameters": [timeout_parameter(settings.deadline_ms)],
        "requestBody": {"required": True, "content": _json(_ref("ClassifyRequest"), request)},
        "responses": {
            "200": {
                "description": "One entry a text, in order.",
                "headers": VERSION_HEADER,
                "content": _json(_ref("ClassifyResponse"), response),
            }
        }
        | _problems(
            InvalidRequest("Expected `str | array`, got `int` - at `$.input`."),
            UnknownModel(),
            settings=settings,
        ),
    }


def _stream() -> dict[str, Any]:
    count = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    query = [
        ("model", "Name of the model; the server's default if absent.", {"type": "string"}),
        ("top_k", "Only so many of the best labels, unless a line says else.", count),
    ]
    problems = problem_responses(
        UnknownModel(),
        UnsupportedEncoding(),
        InvalidRequest("`top_k` in the query must be a whole number from 1 up."),
        NotReady(retry_after_s=1),
    )
    lines = {
        "description": "A `LinePrediction` or a `LineFailure` a line, in order, all by one version of the model.",
        "headers": VERSION_HEADER,
        "content": {"application/x-ndjson": {"schema": {"type": "string"}, "example": EXAMPLE_LINES[1]}},
    }
    return {
        "tags": ["classification"],
        "summary": "Classify any number of texts, a line each",
        "description": "NDJSON in, a `StreamLine` a line; NDJSON out, a `LinePrediction` or a `LineFailure` a line, in "
        "order, while the request is still being sent. Read while you write: the server does not read on while its "
        "answers are not taken. Empty lines are counted but have no answer. A line may have "
        f"{MAX_LINE_BYTES} bytes; the deadline is each line's, not the stream's.",
        "operationId": "predict_stream",
        "parameters": [
            {"name": name, "in": "query", "description": text, "schema": schema} for name, text, schema in query
        ],
        "requestBody": {
            "required": True,
            "content": {"application/x-ndjson": {"schema": {"type": "string"}, "example": EXAMPLE_LINES[0]}},
        },
        "responses": {"200": lines} | {str(status): response for status, response in problems.items()},
    }


def _v2(path: str, settings: RequestLimits) -> dict[str, Any]:
    request, response = EXAMPLES["v2"]
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    length = {"description": "Bytes of the JSON, where the bytes of tensors follow it.", "schema": {"type": "integer"}}
    return {
        "tags": ["open inference protocol"],
        "summary": "Classify texts",
        "description": "One input `text` of datatype BYTES and shape `[n]` or `[n, 1]`; outputs `label` (BYTES), "
        "`score` and `probabilities` (FP32, in the order of the model's labels). Triton's binary tensor extension "
        "works both ways; the body is read whatever its Content-Type. There is no place for an error of one text: it "
        "fails the request.",
        "operationId": "infer_version" if len(names) > 1 else "infer",
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names),
            {"name": LENGTH_HEADER, "in": "header", **length, "schema": {"type": "integer", "minimum": 0}},
            timeout_parameter(settings.deadline_ms),
        ],
        "requestBody": {"required": True, "content": _json(_ref("InferRequest"), request) | binary},
        "responses": {
            "200": {
                "description": "The outputs that were asked for.",
                "headers": {LENGTH_HEADER: length, **VERSION_HEADER},
                "content": _json(_ref("InferResponse"), response) | binary,
            }
        }
        | _v2_errors(settings),
    }


def _v2_errors(settings: RequestLimits) -> dict[str, Any]:
    responses: dict[str, Any] = {"default": problem_responses()["default"]}
    for error in (
        InvalidRequest("The only input is `text`, of datatype BYTES."),
        UnknownModel(),
        BodyTooLarge.over(settings.max_body_bytes),
        UnsupportedEncoding(),
        ComputeError(),
        Overloaded(retry_after_s=2),
        DeadlineExceeded.after(settings.deadline_ms / 1000),
    ):
        made = v2_error_response(error)
        responses[str(made.status_code)] = {
            "description": "See `error`.",
            "content": _json(_ref("V2Error"), {"error": str(error)}),
        }
    return responses
