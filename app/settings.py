"""Every setting of the server: read once, at the edge, then passed as a value.

A field here is at the same time a flag of `python -m app serve` and an environment variable: `max_texts` is
`--max-texts` and `SLUICE_MAX_TEXTS`. A flag wins over the environment.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.batching import BatchLimits
from app.cpus import available_cpus
from app.errors import SettingsError

ENV_PREFIX = "SLUICE_"
SHIPPED_CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoints" / "sentiment"

TRACES_PATH = "/v1/traces"
"""Where a collector takes them. Source: OTLP specification, OTLP/HTTP request."""

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_TRAINING = "SLUICE_DATA"
"""Where `python -m training` finds data: people set it for both."""

_KUBERNETES = re.compile(r"SLUICE_(SERVICE|PORT)_")
"""Kubernetes gives every pod such variables when a Service is named `sluice`. They are not ours."""


def _share_of_cpus(values: Mapping[str, Any]) -> int:
    workers: int = values.get("workers", 1)
    return max(1, available_cpus() // workers)


class Settings(BaseModel):
    """All settings, valid by themselves and together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[
        dict[str, Path],
        Field(
            description="Checkpoint folder to serve, as NAME=PATH or just PATH (named after the folder). Repeat the "
            "flag, or separate by commas in the variable. The first is the default of requests that name none."
        ),
    ] = {"sentiment": SHIPPED_CHECKPOINT}
    host: Annotated[str, Field(description="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8000
    device: Annotated[
        str,
        Field(description="Where to compute: auto (CUDA if there is one), cpu, cuda or cuda:N."),
    ] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"],
        Field(
            description="Number format of the computation: float32 (exact), bfloat16 (faster where supported), int8 "
            "(on a CPU with AVX-512 and VNNI, several times faster) or auto: int8 where it can be had, else float32."
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
    otel_endpoint: Annotated[
        str | None,
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

    @field_validator("model", mode="before")
    @classmethod
    def _parse_models(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        models: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            name, separator, path = part.partition("=")
            if not separator:
                name, path = Path(part).resolve().name, part
            if name in models:
                raise ValueError(f"the name {name} is given twice")
            models[name] = path
        return models

    @field_validator("model")
    @classmethod
    def _valid_names(cls, models: dict[str, Path]) -> dict[str, Path]:
        if not models:
            raise ValueError("there must be at least one model")
        for name in models:
            if not MODEL_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a model; use letters, digits, dot, dash and underscore")
        return models

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError("must be auto, cpu, cuda or cuda:N")
        return device

    @field_validator("otel_endpoint")
    @classmethod
    def _full_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be the URL of a collector, such as http://collector:4318")
        if parts.username is not None:
            raise ValueError("must hold no secret; OTEL_EXPORTER_OTLP_HEADERS is for those")
        return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}{TRACES_PATH}"

    @model_validator(mode="after")
    def _without_contradiction(self) -> Self:
        for small, large, consequence in (
            ("max_texts", "max_queue_texts", "a full request could only be served by an idle server"),
            ("max_batch_texts", "max_queue_texts", "a full batch could never be waiting"),
            ("max_batch_tokens", "max_queue_tokens", "a full batch could never be waiting"),
            ("max_chars", "max_body_bytes", "the longest text could never arrive"),
        ):
            if getattr(self, small) > getattr(self, large):
                raise ValueError(
                    f"{small} ({getattr(self, small)}) is more than {large} ({getattr(self, large)}): {consequence}"
                )
        return self

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
