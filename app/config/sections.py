"""Sections of the settings: each concern gets the one it needs, and nothing takes them all.

A field is at the same time a flag of `python -m app serve` and an environment variable: `max_texts` is
`--max-texts` and `SLUICE_MAX_TEXTS`. Where a setting has another name than its field, the alias is that name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field

from app.config.machine import available_cpus, default_connections
from app.config.values import DeviceName, Endpoint, ModelPaths, Networks, Origins, PathPrefix, Trials

SHIPPED_CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "sentiment"


def _share_of_cpus(values: Mapping[str, Any]) -> int:
    workers: int = values.get("workers", 1)
    return max(1, available_cpus() // workers)


class Section(BaseModel):
    """Frozen settings of one concern; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)


class ModelSettings(Section):
    """Models to serve, and who may change them."""

    paths: Annotated[
        ModelPaths,
        Field(
            alias="model",
            description="Checkpoint folder to serve, as NAME=PATH or just PATH (named after the folder). Repeat the "
            "flag, or separate by commas in the variable. The first is the default of requests that name none.",
        ),
    ] = {"sentiment": SHIPPED_CHECKPOINT}
    canary: Annotated[
        Trials,
        Field(
            description="Second version of a model, as NAME=PATH@SHARE: answers that share of the requests, 0 to 1. "
            "Separate several by commas."
        ),
    ] = {}
    shadow: Annotated[
        Trials,
        Field(
            description="Second version of a model, as NAME=PATH@SHARE: gets a copy of the texts of that share of the "
            "requests; nobody waits for its answers, and metrics count those that differ."
        ),
    ] = {}
    watch_s: Annotated[
        float,
        Field(ge=0, description="Seconds between checks for changed folders, which are then loaded; 0 for never."),
    ] = 0
    admin: Annotated[
        bool, Field(description="Adds the routes under /admin, which load, replace and remove models.")
    ] = False
    folder: Annotated[
        DirectoryPath | None,
        Field(
            alias="models_folder",
            description="Folder below which the routes under /admin may load checkpoints; without it only those that "
            "were named at the start.",
        ),
    ] = None


class ComputeSettings(Section):
    """Processes, threads, device and number format of the computation."""

    device: Annotated[
        DeviceName, Field(description="Device that computes: auto (CUDA if there is one), cpu, cuda or cuda:N.")
    ] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"],
        Field(
            description="Number format of the computation: float32 (exact), bfloat16 (faster where supported), int8 "
            "(on a CPU with AVX-512 and VNNI, several times faster) or auto: bfloat16 on a GPU, int8 on a CPU where it "
            "is supported, else float32."
        ),
    ] = "auto"
    workers: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Processes that share the socket, each with its own models, queue and share of the processors. "
            "On a CPU one for each processor answers most; each takes memory for itself.",
        ),
    ] = 1
    threads: Annotated[
        int,
        Field(ge=1, description="Threads that one computation uses; a worker's share of the container's CPU quota."),
    ] = Field(default_factory=_share_of_cpus)
    tokenise_threads: Annotated[
        int, Field(ge=1, description="Threads that tokenise in each worker; its share of the quota, up to 4.")
    ] = Field(default_factory=lambda values: min(4, _share_of_cpus(values)))


class RequestLimits(Section):
    """Size of one request and the time for its answer."""

    max_body_bytes: Annotated[int, Field(ge=1024, description="Largest body of a request.")] = 16 * 1024 * 1024
    max_texts: Annotated[int, Field(ge=1, description="Most texts in one request.")] = 1024
    max_chars: Annotated[
        int, Field(ge=1, description="Longest text; a longer one gets an error in its place, its neighbours an answer.")
    ] = 2_000_000
    deadline_ms: Annotated[
        int,
        Field(
            ge=1,
            description="Time from the last byte of a request to its answer, else 504. A client may shorten it with "
            "the header X-Request-Timeout-Ms.",
        ),
    ] = 10_000


class BatchLimits(Section):
    """Size of a batch, of the queue in front of it and of the cache."""

    max_batch_texts: Annotated[int, Field(ge=1, description="Most texts computed at once.")] = 64
    max_batch_tokens: Annotated[int, Field(ge=1, description="Most tokens computed at once, padding included.")] = (
        16_384
    )
    max_queue_texts: Annotated[
        int, Field(ge=1, description="Most texts under way, for each model; more are refused with 503.")
    ] = 4096
    max_queue_tokens: Annotated[
        int, Field(ge=1, description="Most tokens under way, for each model; more are refused with 503.")
    ] = 1_048_576
    stuck_after_s: Annotated[float, Field(gt=0, description="Time of a computation after which liveness fails.")] = 60.0
    cache_texts: Annotated[
        int,
        Field(
            ge=0,
            description="Answers that are remembered for texts that come again, for each model and worker. 1 to 2 kB "
            "each; 0 remembers none.",
        ),
    ] = 0


class ExplainSettings(Section):
    """Limits of explanations and of the process that computes them."""

    off: Annotated[bool, Field(alias="no_explain", description="Removes POST /explain and the process behind it.")] = (
        False
    )
    threads: Annotated[
        int,
        Field(
            ge=1,
            alias="explain_threads",
            description="Threads of the process that explains, which has the lowest priority; one for each worker.",
        ),
    ] = 1
    max_texts: Annotated[
        int, Field(ge=1, alias="explain_max_texts", description="Most texts in one request for explanations.")
    ] = 16
    max_tokens: Annotated[
        int,
        Field(
            ge=1,
            alias="explain_max_tokens",
            description="Longest text that is explained; a longer one gets an error in its place. What it costs grows "
            "with the square of its length.",
        ),
    ] = 512
    queue_texts: Annotated[
        int,
        Field(
            ge=1,
            alias="explain_queue_texts",
            description="Most texts under way to be explained; more are refused with 503, and so are more than 128 "
            "tokens for each of them.",
        ),
    ] = 64
    deadline_ms: Annotated[
        int,
        Field(
            ge=1,
            alias="explain_deadline_ms",
            description="The same as deadline_ms for explanations: to the answer, else 504.",
        ),
    ] = 30_000


class NetworkSettings(Section):
    """Address of the server, and how browsers and proxies reach it."""

    host: Annotated[str, Field(description="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8000
    cors_origin: Annotated[
        Origins,
        Field(description="Origin (https://example.org) whose pages may ask this server; repeat the flag. * for all."),
    ] = ()
    trusted_proxy: Annotated[
        Networks,
        Field(
            description="Address or network (10.0.0.0/8) of a proxy whose X-Forwarded-For is believed; repeat the flag."
        ),
    ] = ()
    root_path: Annotated[
        PathPrefix,
        Field(description="Prefix (/classifier) under which a proxy shows the server; the proxy may strip it or not."),
    ] = ""


class ConnectionLimits(Section):
    """Number of connections, how slow each may be, and how the server lets go of them."""

    max_connections: Annotated[
        int,
        Field(
            ge=1,
            description="Most connections of each worker; more are refused with 503. The limit of open files "
            "must allow for them.",
        ),
    ] = Field(default_factory=default_connections)
    keep_alive_s: Annotated[
        int,
        Field(ge=1, description="Time until an idle connection is closed; keep it above the balancer's own timeout."),
    ] = 75
    headers_timeout_s: Annotated[
        float,
        Field(
            gt=0,
            description="Time from opening a connection, or from the first byte of a later request, to the end "
            "of the headers.",
        ),
    ] = 20.0
    transfer_timeout_s: Annotated[
        float,
        Field(gt=0, description="Time for the body of a request to arrive, else 408, and for an answer to be taken."),
    ] = 60.0
    drain_delay_s: Annotated[
        float,
        Field(
            ge=0,
            description="Time to go on serving after SIGTERM while readiness says no, so that balancers notice first.",
        ),
    ] = 1.0
    drain_timeout_s: Annotated[
        int, Field(ge=0, description="Time after that for requests in flight to finish before they are cut.")
    ] = 20


class KeySettings(Section):
    """API keys, and what answers without one."""

    api_keys: Annotated[
        str,
        Field(
            description="API keys, as `python -m app key` prints them (hashes, not secrets), with semicolons between. "
            "If there is any key, a request without one gets 401."
        ),
    ] = ""
    api_keys_file: Annotated[
        Path | None, Field(description="File with API keys, one a line; read again when it changes.")
    ] = None
    public_metrics: Annotated[
        bool,
        Field(description="Answers /metrics without a key even if there are keys; else it needs the role metrics."),
    ] = False


class TelemetrySettings(Section):
    """Log level and the collector of traces."""

    otel_endpoint: Annotated[
        Endpoint | None,
        Field(
            description="Collector to which traces are sent, by OTLP over HTTP, such as http://collector:4318 (then "
            "/v1/traces is added); none are sent without it. Needs the packages of the extra `otel`. "
            "OTEL_EXPORTER_OTLP_ENDPOINT sets it too, and the SDK's other variables hold: OTEL_SERVICE_NAME, "
            "OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS."
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Least severe message that is logged.")
    ] = "info"
