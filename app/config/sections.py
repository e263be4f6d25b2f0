"""Sections of the settings: each concern gets the one it needs, and nothing takes them all.

A field is at the same time a flag of `python -m app serve` and an environment variable: `max_texts` is
`--max-texts` and `SLUICE_MAX_TEXTS`. Where a setting has another name than its field, the alias is that name. The
docstring of a field is the help of its flag.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field

from app.config.machine import available_cpus, default_connections
from app.config.values import (
    Count,
    DeviceName,
    Endpoint,
    Interval,
    Milliseconds,
    ModelPaths,
    Networks,
    Origins,
    PathPrefix,
    PositiveSeconds,
    Seconds,
    Threads,
    Trials,
    WholeSeconds,
)

SHIPPED_CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "sentiment"


def _share_of_cpus(values: Mapping[str, Any]) -> int:
    workers: int = values.get("workers", 1)
    return max(1, available_cpus() // workers)


class Section(BaseModel):
    """Frozen settings of one concern; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, use_attribute_docstrings=True)


class ModelSettings(Section):
    """Models to serve, and who may change them."""

    paths: Annotated[ModelPaths, Field(alias="model")] = {"sentiment": SHIPPED_CHECKPOINT}
    """Checkpoint folder to serve, as NAME=PATH or just PATH (named after the folder). Repeat the flag, or separate by
    commas in the variable. The first is the default of requests that name none."""

    canary: Trials = {}
    """Second version of a model, as NAME=PATH@SHARE: answers that share of the requests, 0 to 1. Separate several by
    commas."""

    shadow: Trials = {}
    """Second version of a model, as NAME=PATH@SHARE: gets a copy of the texts of that share of the requests; nobody
    waits for its answers, and metrics count those that differ."""

    watch_s: Interval = 0
    """Seconds between checks for changed folders, which are then loaded; 0 for never, else at least 0.1."""

    admin: bool = False
    """Adds the routes under /admin, which load, replace and remove models."""

    folder: Annotated[DirectoryPath | None, Field(alias="models_folder")] = None
    """Folder below which the routes under /admin may load checkpoints; without it only those that were named at the
    start."""


class ComputeSettings(Section):
    """Processes, threads, device and number format of the computation."""

    device: DeviceName = "auto"
    """Device that computes: auto (CUDA if there is one), cpu, cuda or cuda:N."""

    dtype: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    """Number format of the computation: float32 (exact), bfloat16 (faster where supported), int8 (on a CPU with AVX2,
    AVX-512 or ARM's dot product, several times faster) or auto: bfloat16 on a GPU, int8 on a CPU where it is supported,
    else float32."""

    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that share the socket, each with its own models, queue and share of the processors. On a CPU one for
    each processor answers most; each takes memory for itself."""

    threads: Threads = Field(default_factory=_share_of_cpus)
    """Threads that one computation uses; a worker's share of the container's CPU quota."""

    tokenise_threads: Threads = Field(default_factory=lambda values: min(4, _share_of_cpus(values)))
    """Threads that tokenise in each worker; its share of the quota, up to 4."""


class RequestLimits(Section):
    """Size of one request and the time for its answer."""

    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    """Most bytes in the body of a request."""

    max_texts: Count = 1024
    """Most texts in one request."""

    max_chars: Count = 2_000_000
    """Most characters of a text; a longer one gets an error in its place, its neighbours an answer."""

    deadline_ms: Milliseconds = 10_000
    """Time from the last byte of a request to its answer, else 504. A client may shorten it with the header
    X-Request-Timeout-Ms."""


class BatchLimits(Section):
    """Size of a batch, of the queue in front of it and of the cache."""

    max_batch_texts: Count = 64
    """Most texts computed at once; if it is not set, 240 where the engine for CPUs computes, and on a GPU 4,096, or
    1,024 where cuDNN computes."""

    max_batch_tokens: Count = 16_384
    """Most tokens computed at once, padding included; if not set, on a GPU 262,144, or 65,536 where cuDNN computes."""

    max_queue_texts: Count = 4096
    """Most texts under way, for each model; more are refused with 503."""

    max_queue_tokens: Count = 1_048_576
    """Most tokens under way, for each model; more are refused with 503."""

    stuck_after_s: PositiveSeconds = 60.0
    """Time that one batch may compute, after which liveness fails."""

    cache_texts: Annotated[int, Field(ge=0)] = 0
    """Answers that are remembered for texts that come again, for each model and worker. 1 to 2 kB each; 0 remembers
    none."""


class ExplainSettings(Section):
    """Limits of explanations and of the process that computes them."""

    off: Annotated[bool, Field(alias="no_explain")] = False
    """Removes POST /explain and the process behind it."""

    threads: Annotated[Threads, Field(alias="explain_threads")] = 1
    """Threads of the process that explains, which has a low priority; one for each worker."""

    max_texts: Annotated[Count, Field(alias="explain_max_texts")] = 16
    """Most texts in one request for explanations."""

    max_tokens: Annotated[Count, Field(alias="explain_max_tokens")] = 512
    """Most tokens of a text that is explained; a longer one gets an error in its place. What it costs grows with the
    square of its length."""

    queue_texts: Annotated[Count, Field(alias="explain_queue_texts")] = 64
    """Most texts under way to be explained; more are refused with 503, and so are more than 128 tokens for each of
    them."""

    deadline_ms: Annotated[Milliseconds, Field(alias="explain_deadline_ms")] = 30_000
    """Time from the last byte of a request for explanations to its answer, else 504."""


class NetworkSettings(Section):
    """Address of the server, and how browsers and proxies reach it."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every network, :: for every network of IPv4 and IPv6."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one."""

    unix_socket: Path | None = None
    """Path of a Unix socket to listen on, instead of host and port."""

    cors_origin: Origins = ()
    """Origin (https://example.org) whose pages may call this server; repeat the flag. * for all."""

    trusted_proxy: Networks = ()
    """Address or network (10.0.0.0/8) of a proxy whose X-Forwarded-For is believed; repeat the flag."""

    root_path: PathPrefix = ""
    """Prefix (/classifier) under which a proxy shows the server; the proxy may strip it or not."""


class ConnectionLimits(Section):
    """Number of connections, how slow each may be, and how the server lets go of them."""

    max_connections: Count = Field(default_factory=default_connections)
    """Most connections of each worker; more are refused with 503. The limit of open files must allow for them."""

    max_concurrent_requests: Count = 128
    """Most requests for classification that each worker has under way for longer than 100 ms; more are
    refused with 503 before they are read. Raise it for patient clients: each waits as long as all of them take."""

    keep_alive_s: Annotated[WholeSeconds, Field(ge=1)] = 75
    """Time until an idle connection is closed; keep it above the balancer's own timeout."""

    headers_timeout_s: PositiveSeconds = 20.0
    """Time from opening a connection, or from the first byte of a later request, to the end of the headers."""

    transfer_timeout_s: PositiveSeconds = 60.0
    """Time for the body of a request to arrive, else 408, and for an answer to be taken."""

    drain_delay_s: Seconds = 1.0
    """Time to go on serving after SIGTERM while readiness says no, so that balancers notice first."""

    drain_timeout_s: WholeSeconds = 20
    """Time after the drain delay for requests in flight to finish before they are cut."""


class KeySettings(Section):
    """API keys, and what answers without one."""

    api_keys: str = ""
    """API keys, as `python -m app key` prints them (hashes, not secrets), with semicolons between. If there is any key,
    a request without one gets 401."""

    api_keys_file: Path | None = None
    """File with API keys, one a line; read again when it changes."""

    public_metrics: bool = False
    """Answers /metrics without a key even if there are keys; else it needs the role metrics."""


class TelemetrySettings(Section):
    """Log level and the collector of traces."""

    otel_endpoint: Endpoint | None = None
    """Collector to which traces are sent, by OTLP over HTTP, such as http://collector:4318 (then /v1/traces is added);
    none are sent without it. Needs OpenTelemetry's SDK and
    its OTLP exporter, which `make setup` installs. OTEL_EXPORTER_OTLP_ENDPOINT sets it too, and the
    SDK's other variables hold: OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe message that is logged."""
