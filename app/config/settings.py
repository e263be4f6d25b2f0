"""Every setting of the server: read once, at the edge, then passed as a value.

A field here is at the same time a flag of `python -m app serve` and an environment variable: `max_texts` is
`--max-texts` and `SLUICE_MAX_TEXTS`. A flag wins over the environment.
"""

import re
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, ValidationError, model_validator

from app.config.limits import BatchLimits
from app.config.values import TRACES_PATH, DeviceName, Endpoint, ModelPaths, Networks, Origins, PathPrefix, Trials
from app.core.cpus import available_cpus
from app.core.errors import SettingsError
from app.core.plan import Candidate, Plan, Plans, Source

ENV_PREFIX = "SLUICE_"
SHIPPED_CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "sentiment"

_TRAINING = "SLUICE_DATA"
"""Where `python -m training` finds data: people set it for both."""

_KUBERNETES = re.compile(r"SLUICE_(SERVICE|PORT)_")
"""Kubernetes gives every pod such variables when a Service is named `sluice`. They are not ours."""


DESCRIPTOR_RESERVE = 512
"""Open files besides connections: models, libraries, sockets, and connections that are being turned away."""


def _most_connections() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 16_384 if hard == resource.RLIM_INFINITY else max(1, min(16_384, hard - DESCRIPTOR_RESERVE))


def _share_of_cpus(values: Mapping[str, Any]) -> int:
    workers: int = values.get("workers", 1)
    return max(1, available_cpus() // workers)


class Settings(BaseModel):
    """All settings, valid by themselves and together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[
        ModelPaths,
        Field(
            description="Checkpoint folder to serve, as NAME=PATH or just PATH (named after the folder). Repeat the "
            "flag, or separate by commas in the variable. The first is the default of requests that name none."
        ),
    ] = {"sentiment": SHIPPED_CHECKPOINT}
    host: Annotated[str, Field(description="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8000
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
        Field(ge=0, description="How often to look whether a model's folder has changed, and load it; 0 for never."),
    ] = 0
    admin: Annotated[
        bool, Field(description="Whether there are routes under /admin, which load, replace and remove models.")
    ] = False
    models_folder: Annotated[
        DirectoryPath | None,
        Field(
            description="Folder below which the routes under /admin may load checkpoints; without it only those that "
            "were named at the start."
        ),
    ] = None
    device: Annotated[
        DeviceName,
        Field(description="Where to compute: auto (CUDA if there is one), cpu, cuda or cuda:N."),
    ] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"],
        Field(
            description="Number format of the computation: float32 (exact), bfloat16 (faster where supported), int8 "
            "(on a CPU with AVX-512 and VNNI, several times faster) or auto: bfloat16 on a GPU, int8 on a CPU where it "
            "can be had, else float32."
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
        Field(
            ge=1,
            description="Threads that one computation uses; a worker's share of the container's CPU quota.",
        ),
    ] = Field(default_factory=lambda values: _share_of_cpus(values))
    tokenise_threads: Annotated[
        int, Field(ge=1, description="Threads that tokenise in each worker; its share of the quota, up to 4.")
    ] = Field(default_factory=lambda values: min(4, _share_of_cpus(values)))

    max_body_bytes: Annotated[int, Field(ge=1024, description="Largest body of a request.")] = 16 * 1024 * 1024
    max_texts: Annotated[int, Field(ge=1, description="Most texts in one request.")] = 1024
    max_chars: Annotated[
        int, Field(ge=1, description="Longest text; a longer one gets an error in its place, its neighbours an answer.")
    ] = 2_000_000
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

    cache_texts: Annotated[
        int,
        Field(
            ge=0,
            description="Answers that are remembered, for each model and worker: for texts that come again. 1 to 2 kB "
            "each; 0 remembers none.",
        ),
    ] = 0

    deadline_ms: Annotated[
        int,
        Field(
            ge=1,
            description="Time from the last byte of a request to its answer, else 504. A client may shorten it with "
            "the header X-Request-Timeout-Ms.",
        ),
    ] = 10_000
    stuck_after_s: Annotated[float, Field(gt=0, description="A computation that takes longer makes liveness fail.")] = (
        60.0
    )
    drain_delay_s: Annotated[
        float,
        Field(
            ge=0,
            description="After SIGTERM, time to go on serving while readiness says no, so that balancers notice first.",
        ),
    ] = 1.0
    drain_timeout_s: Annotated[
        int, Field(ge=0, description="After that, time for requests in flight to finish before they are cut.")
    ] = 20
    keep_alive_s: Annotated[
        int,
        Field(ge=1, description="Idle connections are closed after this; keep it above the balancer's own timeout."),
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
    max_connections: Annotated[
        int,
        Field(
            ge=1,
            description="Most connections of each worker; more are refused with 503. The limit of open files "
            "must allow for them.",
        ),
    ] = Field(default_factory=_most_connections)

    no_explain: Annotated[
        bool, Field(description="Whether there is no POST /explain, and never a process that explains.")
    ] = False
    explain_threads: Annotated[
        int,
        Field(ge=1, description="Threads of that process, which has the lowest priority; one for each worker."),
    ] = 1
    explain_max_texts: Annotated[int, Field(ge=1, description="Most texts in one request for explanations.")] = 16
    explain_max_tokens: Annotated[
        int,
        Field(
            ge=1,
            description="Longest text that is explained; a longer one gets an error in its place. What it costs grows "
            "with the square of its length.",
        ),
    ] = 512
    explain_queue_texts: Annotated[
        int,
        Field(
            ge=1,
            description="Most texts under way to be explained; more are refused with 503, and so are more than 128 "
            "tokens for each of them.",
        ),
    ] = 64
    explain_deadline_ms: Annotated[
        int, Field(ge=1, description="The same as deadline_ms for explanations: to the answer, else 504.")
    ] = 30_000

    api_keys: Annotated[
        str,
        Field(
            description="API keys, as `python -m app key` prints them (hashes, not secrets), with semicolons between. "
            "With any key, whoever shows none gets 401."
        ),
    ] = ""
    api_keys_file: Annotated[
        Path | None,
        Field(description="File with API keys, one a line; read again when it changes."),
    ] = None
    public_metrics: Annotated[
        bool,
        Field(description="With API keys, answer /metrics without one too; else it needs one of the role metrics."),
    ] = False
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
        Field(description="Prefix (/classifier) under which a proxy shows the server, whether it cuts it off or not."),
    ] = ""
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

    @model_validator(mode="after")
    def _without_contradiction(self) -> Self:
        for small, large, consequence in (
            ("max_texts", "max_queue_texts", "a full request could only be served by an idle server"),
            ("max_batch_texts", "max_queue_texts", "a full batch could never be waiting"),
            ("max_batch_tokens", "max_queue_tokens", "a full batch could never be waiting"),
            ("max_chars", "max_body_bytes", "the longest text could never arrive"),
            ("explain_max_texts", "explain_queue_texts", "a full request could only be served by an idle server"),
        ):
            if getattr(self, small) > getattr(self, large):
                raise ValueError(
                    f"{small} ({getattr(self, small)}) is more than {large} ({getattr(self, large)}): {consequence}"
                )
        if self.admin and not self.api_keys and self.api_keys_file is None:
            raise ValueError("admin needs api_keys or api_keys_file: /admin answers keys of the role admin only")
        for name in [*self.canary, *self.shadow]:
            if name not in self.model:
                raise ValueError(f"there is no model {name} that a second version could stand beside")
            if name in self.canary and name in self.shadow:
                raise ValueError(f"{name} can have a canary or a shadow, not both")
        return self

    @property
    def plans(self) -> Plans:
        """What each name serves at the start."""
        plans = {}
        for name, path in self.model.items():
            trial = self.canary.get(name) or self.shadow.get(name)
            candidate = None
            if trial is not None:
                candidate = Candidate(Source(str(trial.path)), trial.share, shadow=name in self.shadow)
            plans[name] = Plan(Source(str(path)), candidate)
        return plans

    @property
    def batch_limits(self) -> BatchLimits:
        """What concerns the batcher."""
        return BatchLimits(
            max_batch_texts=self.max_batch_texts,
            max_batch_tokens=self.max_batch_tokens,
            max_queue_texts=self.max_queue_texts,
            max_queue_tokens=self.max_queue_tokens,
            stuck_after_s=self.stuck_after_s,
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Self:
        """Settings from `SLUICE_…` variables, with `flags` (by field name) over them; an empty variable is not set.

        Raises:
            SettingsError: one sentence that says which setting is wrong and why.
        """
        values = _of_opentelemetry(environ)
        for name, value in environ.items():
            if not name.startswith(ENV_PREFIX) or name == _TRAINING or _KUBERNETES.match(name):
                continue
            field = name.removeprefix(ENV_PREFIX).lower()
            if field not in cls.model_fields or name != env_name(field):
                raise SettingsError(f"{name} is not a setting; `python -m app serve --help` lists them.")
            if value:
                values[field] = value
        try:
            return cls.model_validate(values | dict(flags or {}))
        except ValidationError as error:
            raise SettingsError("; ".join(_sentence(part) for part in error.errors(include_url=False))) from None


def env_name(field: str) -> str:
    """The variable that sets a field.

    >>> env_name("max_texts")
    'SLUICE_MAX_TEXTS'
    """
    return ENV_PREFIX + field.upper()


def flag_name(field: str) -> str:
    """The flag that sets a field.

    >>> flag_name("max_texts")
    '--max-texts'
    """
    return "--" + field.replace("_", "-")


def _of_opentelemetry(environ: Mapping[str, str]) -> dict[str, str]:
    """The endpoint as OpenTelemetry's own variables set it: the first to a base, the second to the whole URL."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return {}
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or (base and f"{base}{TRACES_PATH}")
    return {"otel_endpoint": endpoint} if endpoint else {}


def _sentence(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    field = str(error["loc"][0])
    return f"{flag_name(field)} ({env_name(field)}): {message[0].lower()}{message[1:]}"
