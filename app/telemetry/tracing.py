"""Trace context of a request, and the start of tracing.

`app.telemetry.otel` makes and sends the traces; it is imported only where an endpoint is set.

Source: W3C Trace Context, section 3.2.
"""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from starlette.types import Scope

from app.config.settings import SettingsError

if TYPE_CHECKING:
    from app.telemetry.otel import Tracer

PACKAGE = "opentelemetry-exporter-otlp-proto-http"

# Later versions of the header may go on after the flags; version 255 is none.
_TRACEPARENT = re.compile(
    rb"(?:00|(?P<later>(?!00|ff)[0-9a-f]{2}))"
    rb"-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?(later)(?:-.*)?)"
)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Parent:
    """Span of the caller that a request belongs to, from its header `traceparent`.

    Attributes:
        trace_id: 32 hex digits.
        span_id: of the caller's span, 16 hex digits.
        sampled: True if the caller records the trace.
    """

    trace_id: str
    span_id: str
    sampled: bool

    @classmethod
    def of(cls, scope: Scope) -> "Parent | None":
        """Parent of a request; None without the header, or if it has another form."""
        for name, value in scope["headers"]:
            if name == b"traceparent":
                return cls.parse(value)
        return None

    @classmethod
    def parse(cls, header: bytes) -> "Parent | None":
        """Parses the value of the header; None if it has another form.

        >>> Parent.parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").sampled
        True
        """
        found = _TRACEPARENT.fullmatch(header)
        if found is None:
            return None
        sampled = bool(int(found["flags"], 16) & _SAMPLED)
        return cls(found["trace"].decode(), found["span"].decode(), sampled)


def start_tracing(endpoint: str | None) -> "Tracer | None":
    """Tracer that sends to `endpoint`; None without one.

    Raises:
        SettingsError: the package for it is not installed.
    """
    if endpoint is None:
        return None
    check_installed()
    from app.telemetry.otel import Tracer

    return Tracer(endpoint)


def check_installed() -> None:
    """Checks that the packages for traces are installed.

    Raises:
        SettingsError: they are not.
    """
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise SettingsError(
            f"Traces are asked for, but the package that sends them is not installed: pip install {PACKAGE}, or leave "
            "out --otel-endpoint, SLUICE_OTEL_ENDPOINT and OTEL_EXPORTER_OTLP_ENDPOINT."
        )
