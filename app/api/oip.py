"""`/v2`: the Open Inference Protocol (KServe V2), as its clients, Triton's among them, expect it.

An error is `{"error": "…"}` here, and a request of the wrong form 400 instead of 422: so this protocol has it.
"""

import re
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app import VERSION
from app.api.endpoint import Classified, answer, built, classify, finished
from app.api.oip_tensors import INPUT, InferRequest, read_request, write_response
from app.api.openapi import problem_responses
from app.config.sections import RequestLimits
from app.core.errors import InvalidRequest, NotReady
from app.deployment.registry import Registry, ServedModel
from app.http.body import read_body
from app.http.problems import V2_PREFIX
from app.http.routing import NamedRoute

LENGTH_HEADER = "Inference-Header-Content-Length"
_LENGTH_HEADER = LENGTH_HEADER.lower().encode()

MODEL_PATH = "/v2/models/{name}"
VERSION_PATH = MODEL_PATH + "/versions/{version}"
INFER_PATHS = (f"{MODEL_PATH}/infer", f"{VERSION_PATH}/infer")


Responses = dict[int | str, dict[str, Any]]
_ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/V2Error"}}}


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """What a tensor looks like; -1 stands for any number."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Annotated[dict[str, list[str]], Field(description="`labels` of the columns, in their order.")] = {}


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Live(BaseModel):
    """Whether the process is worth keeping."""

    live: bool


class Ready(BaseModel):
    """Whether all models take requests."""

    ready: bool


class ModelReady(BaseModel):
    """Whether one model takes requests."""

    name: str
    ready: bool


def v2_router(registry: Registry) -> APIRouter:
    """The routes that answer from memory."""
    router = APIRouter(prefix=V2_PREFIX, tags=["open inference protocol"])

    @router.get("", summary="Describe the server", responses=problem_responses())
    async def server() -> ServerMetadata:
        return ServerMetadata(name="sluice", version=VERSION, extensions=["binary_tensor_data"])

    @router.get("/health/live", summary="Is the process worth keeping?", responses=_state(Live))
    async def live() -> Response:
        return _answer(Live(live=registry.live), registry.live)

    @router.get("/health/ready", summary="Does the server take traffic now?", responses=_state(Ready))
    async def ready() -> Response:
        return _answer(Ready(ready=registry.ready), registry.ready)

    async def model(name: str) -> ModelMetadata:
        deployment = registry.deployment(name)
        return _metadata(deployment.primary, [served.version for served in deployment.versions])

    async def model_version(name: str, version: str) -> ModelMetadata:
        return _metadata(registry.get(name, version), [version])

    async def model_ready(name: str) -> Response:
        return _model_state(registry, name, None)

    async def model_version_ready(name: str, version: str) -> Response:
        return _model_state(registry, name, version)

    for path, describe_model, tell in (
        ("/models/{name}", model, model_ready),
        ("/models/{name}/versions/{version}", model_version, model_version_ready),
    ):
        router.get(path, summary="Describe a model", responses=_errors(404, 503))(describe_model)
        router.get(f"{path}/ready", summary="Does a model take requests?", responses=_state(ModelReady) | _errors(404))(
            tell
        )
    return router


def infer_routes(registry: Registry, settings: RequestLimits) -> list[NamedRoute]:
    """`POST …/infer`, with and without a version."""
    endpoint = Infer(registry, settings)
    return [NamedRoute(path, endpoint, methods=["POST"], include_in_schema=False) for path in INFER_PATHS]


class Infer:
    """The endpoint of both."""

    def __init__(self, registry: Registry, settings: RequestLimits) -> None:
        self._registry = registry
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        begun, request = self._begin(scope, await read_body(scope, receive, self._settings.max_body_bytes))
        classified = await finished(begun, scope, receive)
        model = classified.model
        labels, version = model.classifier.labels, model.classifier.version

        def build() -> tuple[bytes, int | None]:
            rows = classified.all(lambda row, _encoded: row)
            return write_response(request, model.name, version, labels, rows)

        answer_body, json_bytes = await built(self._registry, classified, build)
        headers = [(b"content-type", b"application/json")]
        if json_bytes is not None:
            headers = [
                (b"content-type", b"application/octet-stream"),
                (_LENGTH_HEADER, str(json_bytes).encode()),
            ]
        await answer(send, classified, answer_body, headers)

    def _begin(self, scope: Scope, body: bytes) -> tuple[Classified, InferRequest]:
        path = scope["path_params"]
        request, texts = read_request(body, _json_bytes(scope))
        model = self._registry.get(path["name"], path.get("version"))
        return classify(model, self._settings, scope, texts), request


def _json_bytes(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == _LENGTH_HEADER:
            if not re.fullmatch(rb"[0-9]{1,10}", value):
                raise InvalidRequest(f"The header {LENGTH_HEADER} must be a whole number of bytes.")
            return int(value)
    return None


def _answer(state: BaseModel, good: bool) -> Response:
    return JSONResponse(state.model_dump(), 200 if good else 503)


def _model_state(registry: Registry, name: str, version: str | None) -> Response:
    try:
        model = registry.deployment(name).primary if version is None else registry.get(name, version)
        state = model.batcher.state
    except NotReady:
        state = "loading"
    good = state == "running" and not registry.draining
    return _answer(ModelReady(name=name, ready=good), good)


def _metadata(model: ServedModel, versions: list[str]) -> ModelMetadata:
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


def _state(model: type[BaseModel]) -> Responses:
    answers: Responses = {200: {"model": model, "description": "Yes."}, 503: {"model": model, "description": "No."}}
    return answers | problem_responses()


def _errors(*statuses: int) -> Responses:
    errors: Responses = {status: {"description": "See `error`.", "content": _ERROR_CONTENT} for status in statuses}
    return errors | problem_responses()
