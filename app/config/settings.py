"""Settings of the server, read once at the edge from flags and the environment, then passed on by section."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from app.config.sections import (
    BatchLimits,
    ComputeSettings,
    ConnectionLimits,
    ExplainSettings,
    KeySettings,
    ModelSettings,
    NetworkSettings,
    RequestLimits,
    TelemetrySettings,
)
from app.config.values import TRACES_PATH, traces_url

ENV_PREFIX = "SLUICE_"

_TRAINING = frozenset({"SLUICE_DATA", "SLUICE_ENDPOINT_KEY"})
"""Variables of `python -m training` (its folder of data, the key of its language model), which may be set for both."""

_KUBERNETES = re.compile(r"SLUICE_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT=(tcp|udp|sctp)://.*|PORT_\d+_\w+=.*)")
"""Variables that Kubernetes gives every pod when a Service is named `sluice` or `sluice-…`. They are not ours, not even
SLUICE_PORT=tcp://10.0.0.1:80."""


class SettingsError(Exception):
    """A setting is unknown, out of range, contradicts another or cannot be met on this machine."""


class Settings(BaseModel):
    """All settings, valid by themselves and together. Only `from_env` reads the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: ModelSettings = ModelSettings()
    network: NetworkSettings = NetworkSettings()
    compute: ComputeSettings = Field(default_factory=ComputeSettings)
    requests: RequestLimits = RequestLimits()
    batching: BatchLimits = BatchLimits()
    connections: ConnectionLimits = Field(default_factory=ConnectionLimits)
    explain: ExplainSettings = ExplainSettings()
    keys: KeySettings = KeySettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @model_validator(mode="after")
    def _without_contradiction(self) -> Self:
        requests, batching, explain, models = self.requests, self.batching, self.explain, self.models
        for small, bound, large, limit, consequence in (
            ("max_texts", requests.max_texts, "max_queue_texts", batching.max_queue_texts, _ONLY_IDLE),
            ("max_batch_texts", batching.max_batch_texts, "max_queue_texts", batching.max_queue_texts, _NEVER_FULL),
            ("max_batch_tokens", batching.max_batch_tokens, "max_queue_tokens", batching.max_queue_tokens, _NEVER_FULL),
            ("max_chars", requests.max_chars, "max_body_bytes", requests.max_body_bytes, _NEVER_ARRIVES),
            ("explain_max_texts", explain.max_texts, "explain_queue_texts", explain.queue_texts, _ONLY_IDLE),
        ):
            if bound > limit:
                raise ValueError(
                    f"{flag_name(small)} ({bound}) is more than {flag_name(large)} ({limit}): {consequence}; "
                    "change one of the two"
                )
        if models.admin and not self.keys.api_keys and self.keys.api_keys_file is None:
            raise ValueError(
                "--admin needs --api-keys-file or --api-keys: /admin answers keys of the role admin only, and "
                "`python -m app key NAME --role admin` makes one"
            )
        for name in [*models.canary, *models.shadow]:
            if name not in models.paths:
                raise ValueError(
                    f"a canary or shadow is set for {name}, but --model names no such model; it names "
                    f"{', '.join(models.paths)}"
                )
            if name in models.canary and name in models.shadow:
                raise ValueError(f"{name} can have a canary or a shadow, not both")
        return self

    @classmethod
    def from_env(cls, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Self:
        """Settings from `SLUICE_…` variables, with `flags` (by name of the setting) over them.

        An empty variable is not set: an orchestrator has no other way to leave it out. An empty flag is a mistake, as
        of `--api-keys-file "$KEYS"` without KEYS, which would let everybody in.

        Raises:
            SettingsError: one sentence that says which setting is wrong and why.
        """
        given = _variables(environ)
        for name, value in (flags or {}).items():
            if not value.strip():
                raise SettingsError(f"{flag_name(name)} is empty; give it a value, or leave it out")
            given[name] = value
        if "otel_endpoint" not in given:
            given |= _of_opentelemetry(environ)
        sections: dict[str, dict[str, str]] = {}
        for name, value in given.items():
            sections.setdefault(OPTIONS[name].section, {})[name] = value
        try:
            return cls.model_validate(sections)
        except ValidationError as error:
            # A default that needs a wrong value cannot be made: that is no fault of its own.
            faults = [part for part in error.errors(include_url=False) if part["type"] != "default_factory_not_called"]
            raise SettingsError("; ".join(map(_sentence, faults))) from None


_ONLY_IDLE = "a full request could only be served by an idle server"
_NEVER_FULL = "a full batch could never be waiting"
_NEVER_ARRIVES = "the longest text could never arrive"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its section, and its field there."""

    section: str
    field: FieldInfo


def _options() -> Iterator[tuple[str, Option]]:
    for section, part in Settings.model_fields.items():
        for name, field in part.annotation.model_fields.items():  # type: ignore[union-attr]
            yield field.alias or name, Option(section, field)


OPTIONS: Mapping[str, Option] = dict(_options())
"""Every setting by name, which makes its flag and its variable."""


def env_name(setting: str) -> str:
    """Name of the variable that sets it.

    >>> env_name("max_texts")
    'SLUICE_MAX_TEXTS'
    """
    return ENV_PREFIX + setting.upper()


def flag_name(setting: str) -> str:
    """Name of the flag that sets it.

    >>> flag_name("max_texts")
    '--max-texts'
    """
    return "--" + setting.replace("_", "-")


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for variable, value in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable in _TRAINING or _KUBERNETES.fullmatch(f"{variable}={value}"):
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if name not in OPTIONS or variable != env_name(name):
            raise SettingsError(f"{variable} is not a setting; `python -m app serve --help` lists them.")
        if value:
            values[name] = value
    return values


def _of_opentelemetry(environ: Mapping[str, str]) -> dict[str, str]:
    """Endpoint of OpenTelemetry's own variables, of which the first is the whole URL and the second a base.

    Raises:
        SettingsError: it is no URL of a collector; names the variable.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return {}
    for variable, path in (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", TRACES_PATH)):
        if endpoint := environ.get(variable, ""):
            try:
                return {"otel_endpoint": traces_url(endpoint.rstrip("/") + path if path else endpoint)}
            except ValueError as error:
                raise SettingsError(f"{variable}: {error}") from None
    return {}


def _sentence(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    setting = str(error["loc"][1])
    return f"{flag_name(setting)} ({env_name(setting)}): {message[0].lower()}{message[1:]}"
