"""Triton's extensions of the Open Inference Protocol: configuration and statistics of a model, and the list of models.

Source: triton-inference-server/server, docs/protocol: extension_model_configuration.md, extension_statistics.md and
extension_model_repository.md.
"""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request

from app.api.oip_tensors import INPUT
from app.api.openapi import OPEN_INFERENCE, body_errors, body_of, error_responses
from app.api.schemas import Schema
from app.core.errors import InvalidRequest, NotReady, UnknownModel
from app.core.job import RESPOND, STAGES
from app.deployment.registry import Registry, ServedModel
from app.http.body import read_body
from app.http.json import Parser
from app.http.problems import V2_PREFIX
from app.http.routing import ReadableRoute
from app.telemetry.counters import Totals
from app.telemetry.metrics import Metrics

EXTENSIONS = ["model_configuration", "statistics"]
"""Names under which `GET /v2` lists them. Of the repository there is the index alone: `/admin` loads and removes."""

MAX_BODY_BYTES = 64 * 1024

NANOSECONDS = 1e9


class ConfiguredTensor(Schema):
    """An input or output of a model; -1 stands for any number."""

    name: str
    data_type: str
    dims: list[int]


class InstanceGroup(Schema):
    """Where a model is computed."""

    name: str
    kind: str
    """`KIND_CPU` or `KIND_GPU`."""
    count: int


class ModelConfig(Schema):
    """Configuration of a model. `max_batch_size` is 0: the first number of a shape is the number of texts."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfiguredTensor]
    output: list[ConfiguredTensor]
    instance_group: list[InstanceGroup]
    parameters: dict[str, dict[str, str]]
    """`labels`, `max_tokens` and `version`."""


class Duration(Schema):
    """Number of times, and nanoseconds in all."""

    count: int
    ns: int


class InferenceStatistics(Schema):
    """Durations of requests, over all versions of the model and all processes of the server.

    `queue` is the wait for a tokenizer and for the device, `compute_input` tokenising, `compute_output` writing the
    answer. `fail`, `cache_hit` and `cache_miss` count texts.
    """

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class ModelStatistics(Schema):
    """Statistics of one version of a model; durations and batches stand with its primary version, for all."""

    name: str
    version: str
    last_inference: int
    """Milliseconds since 1970 of the last answer of this process; 0 before the first one."""
    inference_count: int
    """Texts that it answered."""
    execution_count: int
    """Batches that were computed."""
    inference_stats: InferenceStatistics
    batch_stats: list[Any]
    """Always empty: Triton times each size of a batch apart, while here all batches are timed together and their sizes
    counted by powers of two: `sluice_batch_texts` and `sluice_batch_seconds` of `GET /metrics`."""


class Statistics(Schema):
    """Statistics of one model or of all."""

    model_stats: list[ModelStatistics]


class IndexEntry(Schema):
    """One version of a model that the server knows."""

    name: str
    version: str
    """Empty while none is loaded."""
    state: str
    """`READY` or `UNAVAILABLE`."""
    reason: str


class IndexRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Choice of the models to list."""

    ready: Annotated[bool, msgspec.Meta(description="Only those that take requests.")] = False


_parse_index = Parser(IndexRequest, {"ready": True}).parse


def triton_router(registry: Registry, metrics: Metrics) -> APIRouter:
    """Returns the routes of Triton's extensions."""
    router = APIRouter(prefix=V2_PREFIX, tags=[OPEN_INFERENCE], route_class=ReadableRoute)
    unknown = error_responses(UnknownModel(), NotReady(retry_after_s=1), path=V2_PREFIX)

    async def config(name: str) -> ModelConfig:
        return _config(registry.deployment(name).primary)

    async def version_config(name: str, version: str) -> ModelConfig:
        return _config(registry.get(name, version))

    async def all_stats() -> Statistics:
        return await _statistics(metrics, [served for one in registry.loaded for served in one.answering])

    async def stats(name: str) -> Statistics:
        return await _statistics(metrics, registry.deployment(name).answering)

    async def version_stats(name: str, version: str) -> Statistics:
        return await _statistics(metrics, [registry.get(name, version)])

    async def index(request: Request) -> list[IndexEntry]:
        body = await read_body(request.scope, request.receive, MAX_BODY_BYTES)
        only_ready = _parse_index(body).ready if body.strip() else False
        return [entry for entry in _index(registry) if entry.state == "READY" or not only_ready]

    model, version = "/models/{name}", "/models/{name}/versions/{version}"
    router.get("/models/stats", summary="Statistics of all models", responses=error_responses(path=V2_PREFIX))(
        all_stats
    )
    for path, endpoint in ((f"{model}/config", config), (f"{version}/config", version_config)):
        router.get(path, summary="Configuration of a model", responses=unknown)(endpoint)
    for path, endpoint_ in ((f"{model}/stats", stats), (f"{version}/stats", version_stats)):
        router.get(path, summary="Statistics of a model", responses=unknown)(endpoint_)
    wrong_ready = InvalidRequest("Expected `bool`, got `int` - at `$.ready`.")
    wrong = error_responses(*body_errors(MAX_BODY_BYTES), wrong_ready, path=V2_PREFIX)
    body = body_of(IndexRequest, required=False)
    router.post("/repository/index", summary="List the models", responses=wrong, openapi_extra=body)(index)
    return router


def _config(model: ServedModel) -> ModelConfig:
    model.check_labels()
    classifier = model.classifier
    labels = list(classifier.labels)
    kind = "KIND_CPU" if classifier.device == "cpu" else "KIND_GPU"
    outputs = (("label", "TYPE_STRING", [-1]), ("score", "TYPE_FP32", [-1]))
    told = {
        "labels": msgspec.json.encode(labels).decode(),
        "max_tokens": str(classifier.max_tokens),
        "version": model.version,
    }
    return ModelConfig(
        name=model.name,
        platform="sluice",
        backend="sluice",
        max_batch_size=0,
        input=[ConfiguredTensor(name=INPUT, data_type="TYPE_STRING", dims=[-1])],
        output=[
            *(ConfiguredTensor(name=name, data_type=kind_, dims=dims) for name, kind_, dims in outputs),
            ConfiguredTensor(name="probabilities", data_type="TYPE_FP32", dims=[-1, len(labels)]),
        ],
        instance_group=[InstanceGroup(name=model.name, kind=kind, count=1)],
        parameters={name: {"string_value": value} for name, value in told.items()},
    )


def _index(registry: Registry) -> list[IndexEntry]:
    entries: list[IndexEntry] = []
    loaded = {deployment.name: deployment for deployment in registry.loaded}
    for name, state in registry.states().items():
        ready = state == "running" and not registry.draining
        reason = "" if ready else "the server is shutting down" if registry.draining else f"the model is {state}"
        versions = [served.version for served in loaded[name].answering] if name in loaded else [""]
        told = "READY" if ready else "UNAVAILABLE"
        entries.extend(IndexEntry(name=name, version=version, state=told, reason=reason) for version in versions)
    return entries


async def _statistics(metrics: Metrics, versions: list[ServedModel]) -> Statistics:
    totals = await asyncio.to_thread(metrics.totals, metrics.snapshot())
    return Statistics(model_stats=[_of_version(totals, served) for served in versions])


def _of_version(totals: Totals, model: ServedModel) -> ModelStatistics:
    """Statistics of one version; what is known only of all versions of a name stands with the primary one."""
    name, version = model.name, model.version
    primary = model.role == "primary"

    def total(family: str, *labels: str) -> float:
        return sum(values[0] for found, values in totals[family].items() if found[: len(labels)] == labels)

    def stages(*names: str) -> Duration:
        found = [totals["sluice_stage_seconds"].get((name, stage), [0.0]) for stage in names if primary]
        count = max((sum(counts) for _, *counts in found), default=0.0)
        return Duration(count=int(count), ns=int(sum(values[0] for values in found) * NANOSECONDS))

    def texts(*families: str) -> Duration:
        return Duration(count=int(sum(total(family, name) for family in families)) if primary else 0, ns=0)

    batches = totals["sluice_batch_seconds"].get((name,), [0.0])
    requests = int(total("sluice_version_requests", name, version))
    return ModelStatistics(
        name=name,
        version=version,
        last_inference=int(model.metrics.answered_at * 1000),
        inference_count=int(total("sluice_version_texts", name, version)),
        execution_count=int(sum(batches[1:])) if primary else 0,
        inference_stats=InferenceStatistics(
            success=Duration(count=requests, ns=stages(*STAGES).ns),
            fail=texts("sluice_texts_dropped", "sluice_texts_failed"),
            queue=stages("wait", "queue"),
            compute_input=stages("tokenise"),
            compute_infer=stages("compute"),
            compute_output=stages(RESPOND),
            cache_hit=texts("sluice_cache_hits"),
            cache_miss=texts("sluice_cache_misses"),
        ),
        batch_stats=[],
    )
