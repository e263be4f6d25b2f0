"""`/v2`: the Open Inference Protocol (KServe V2), as its clients, Triton's among them, expect it.

An error is `{"error": "…"}` here, and a request of the wrong form 400 instead of 422: so this protocol has it.
"""

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from app import VERSION
from app.api.endpoint import JSON, Call, Classified, Form, Rendered
from app.api.oip_tensors import INPUT, InferRequest, InferResponse, read_request, write_response
from app.api.openapi import EXAMPLES, OPEN_INFERENCE, Operation, Responses, described, error_responses
from app.api.schemas import Schema
from app.api.triton import EXTENSIONS
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest, NotReady, UnknownModel
from app.deployment.registry import Registry, ServedModel
from app.http.numbers import whole_number
from app.http.problems import V2_PREFIX
from app.http.routing import ReadableRoute

LENGTH_HEADER = "Inference-Header-Content-Length"
_LENGTH_HEADER = LENGTH_HEADER.lower().encode()

MODEL_PATH = "/v2/models/{name}"
VERSION_PATH = MODEL_PATH + "/versions/{version}"


class ServerMetadata(Schema):
    """Name, version and extensions of the server."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(Schema):
    """Type and shape of a tensor; -1 stands for any number."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, list[str]] = Field({})
    """`labels` of the columns, in their order."""


class ModelMetadata(Schema):
    """Inputs and outputs of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Live(Schema):
    """State of the process: false once it must be restarted."""

    live: bool


class Ready(Schema):
    """State of the server: true while all models take requests."""

    ready: bool


class ModelReady(Schema):
    """State of one model: true while it takes requests."""

    name: str
    ready: bool


def v2_router(registry: Registry) -> APIRouter:
    """Returns the routes that answer from memory."""
    router = APIRouter(prefix=V2_PREFIX, tags=[OPEN_INFERENCE], route_class=ReadableRoute)

    @router.get("", summary="Describe the server", responses=error_responses(path=V2_PREFIX))
    async def server() -> ServerMetadata:
        return ServerMetadata(name="sluice", version=VERSION, extensions=["binary_tensor_data", *EXTENSIONS])

    @router.get("/health/live", summary="Is the process worth keeping?", responses=_state(Live))
    async def live() -> Response:
        return _answer(Live(live=registry.live), registry.live)

    @router.get("/health/ready", summary="Does the server take traffic now?", responses=_state(Ready))
    async def ready() -> Response:
        return _answer(Ready(ready=registry.ready), registry.ready)

    async def model(name: str) -> ModelMetadata:
        deployment = registry.deployment(name)
        return _metadata(deployment.primary, [served.version for served in deployment.answering])

    async def model_version(name: str, version: str) -> ModelMetadata:
        return _metadata(registry.get(name, version), [version])

    async def model_ready(name: str) -> Response:
        return _model_state(registry, name, None)

    async def model_version_ready(name: str, version: str) -> Response:
        return _model_state(registry, name, version)

    unknown = UnknownModel()
    for path, describe_model, tell in (
        ("/models/{name}", model, model_ready),
        ("/models/{name}/versions/{version}", model_version, model_version_ready),
    ):
        described = error_responses(unknown, NotReady(retry_after_s=1), path=V2_PREFIX)
        router.get(path, summary="Describe a model", responses=described)(describe_model)
        ready_or_not = _state(ModelReady, unknown)
        router.get(f"{path}/ready", summary="Does a model take requests?", responses=ready_or_not)(tell)
    return router


class InferForm(Form[InferRequest]):
    """The form of `POST …/infer`, with and without a version; its option is the request without its texts.

    Args:
        max_texts: most texts of a request.
    """

    paths = (f"{MODEL_PATH}/infer", f"{VERSION_PATH}/infer")

    def __init__(self, max_texts: int) -> None:
        self._max_texts = max_texts

    def parse(self, scope: Scope, body: bytes) -> Call[InferRequest]:
        """Reads an `InferRequest` and the tensor of texts."""
        path = scope["path_params"]
        request, texts = read_request(body, _json_bytes(scope), self._max_texts)
        return Call(texts, request, path["name"], path.get("version"))

    def render(self, classified: Classified, options: InferRequest) -> Rendered:
        """Writes an `InferResponse`, followed by the bytes of its tensors if these are asked for."""
        model = classified.model
        rows = [answer.probabilities for answer in classified.answers()]
        body, json_bytes = write_response(options, model.name, model.version, model.classifier.labels, rows)
        if json_bytes is None:
            return body, JSON
        return body, [(b"content-type", b"application/octet-stream"), (_LENGTH_HEADER, str(json_bytes).encode())]

    def operation(self, path: str, limits: RequestLimits) -> Operation:
        """Describes the form for the document."""
        length = "Bytes of the JSON, where the bytes of tensors follow it."
        return Operation(
            id="infer_version" if path.startswith(VERSION_PATH) else "infer",
            tag=OPEN_INFERENCE,
            summary="Classify texts",
            description="One input `text` of datatype BYTES and shape `[n]` or `[n, 1]`; outputs `label` (BYTES), "
            "`score` and `probabilities` (FP32, in the order of the model's labels). Triton's binary tensor extension "
            "works both ways; the body is read whatever its Content-Type.",
            answer="The outputs that were asked for.",
            request=InferRequest,
            response=InferResponse,
            examples=EXAMPLES["oip"],
            binary=True,
            limits=limits,
            one_fails_all=True,
            errors=[InvalidRequest("The only input is `text`, of datatype BYTES."), UnknownModel()],
            parameters=[{"name": LENGTH_HEADER, "in": "header", **described("integer", length, minimum=0)}],
            headers={LENGTH_HEADER: described("integer", length)},
        )


def _json_bytes(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == _LENGTH_HEADER:
            json_bytes = whole_number(value)
            if json_bytes is None:
                raise InvalidRequest(f"The header {LENGTH_HEADER} must be a whole number of bytes.")
            return json_bytes
    return None


def _answer(state: Schema, good: bool) -> Response:
    return JSONResponse(state.model_dump(), 200 if good else 503)


def _model_state(registry: Registry, name: str, version: str | None) -> Response:
    try:
        model = registry.deployment(name).primary if version is None else registry.get(name, version)
        state = model.state
    except NotReady:
        state = "loading"
    good = state == "running" and not registry.draining
    return _answer(ModelReady(name=name, ready=good), good)


def _metadata(model: ServedModel, versions: list[str]) -> ModelMetadata:
    model.check_labels()
    labels = list(model.classifier.labels)
    return ModelMetadata(
        name=model.name,
        versions=versions,
        platform="sluice",
        inputs=[TensorMetadata(name=INPUT, datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name="label", datatype="BYTES", shape=[-1]),
            TensorMetadata(name="score", datatype="FP32", shape=[-1]),
            TensorMetadata(
                name="probabilities", datatype="FP32", shape=[-1, len(labels)], parameters={"labels": labels}
            ),
        ],
    )


def _state(model: type[Schema], *errors: Exception) -> Responses:
    answers: Responses = {200: {"model": model, "description": "Yes."}, 503: {"model": model, "description": "No."}}
    return answers | error_responses(*errors, path=V2_PREFIX)
