"""Traces by OpenTelemetry: a span for each request, with one for each of its stages inside.

A request costs the event loop 20 to 40 µs, after its answer, for one object that goes into a queue. The SDK's thread
makes the stages' spans of it and sends them. What does not fit into the queue is lost, not waited for.
"""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from app import VERSION
from app.core.job import READ, RESPOND, STAGES, Job
from app.telemetry.tracing import Parent

CLOSE_TIMEOUT_S = 3.0
"""Time to send what is left when the process ends; the collector may not answer."""

_SCOPE = InstrumentationScope("sluice", VERSION)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_FAILED = Status(StatusCode.ERROR)
_UNSET = Status(StatusCode.UNSET)

Stage = tuple[str, int, int]
"""Name of a stage, and its begin and end in nanoseconds since 1970."""


class Tracer:
    """Sends traces to a collector. The variables of the SDK hold: resource, sampler, headers, batches.

    Args:
        endpoint: URL to which they are posted.
    """

    def __init__(self, endpoint: str) -> None:
        own = Resource({"service.name": "sluice", "service.version": VERSION})
        self._resource = own.merge(OTELResourceDetector().detect())
        # Asked for its sampler only, which it makes as the environment says.
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._ids = RandomIdGenerator()
        self._processor = BatchSpanProcessor(_WithStages(OTLPSpanExporter(endpoint)))

    def record(
        self,
        parent: Parent | None,
        name: str,
        attributes: Mapping[str, str | int],
        job: Job | None,
        *,
        failed: bool,
        started: float,
        ended: float,
    ) -> str | None:
        """Queues the span of a finished request; `attributes` must not hold anything that a client wrote.

        Args:
            parent: span of the caller, if it sent one.
            name: of the span.
            job: of the request, if it came so far.
            failed: True if the server was at fault.
            started, ended: seconds of `time.monotonic`.

        Returns:
            Id of its trace, or None if nobody records one.
        """
        trace_id = int(parent.trace_id, 16) if parent is not None else self._ids.generate_trace_id()
        caller = _context_of(parent, trace_id)
        around = None if caller is None else set_span_in_context(NonRecordingSpan(caller), Context())
        sampling = self._sampler.should_sample(around, trace_id, name, SpanKind.SERVER, attributes)
        if sampling.decision is not Decision.RECORD_AND_SAMPLE:
            return None if parent is None else parent.trace_id
        # The monotonic clock counts durations; the other one, which may jump, is asked once.
        offset_ns = time.time_ns() - int(ended * 1e9)
        self._processor.on_end(
            _RequestSpan(
                name,
                context=SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED),
                parent=caller,
                resource=self._resource,
                attributes=attributes,
                kind=SpanKind.SERVER,
                status=_FAILED if failed else _UNSET,
                start_time=offset_ns + int(started * 1e9),
                end_time=offset_ns + int(ended * 1e9),
                instrumentation_scope=_SCOPE,
                stages=_stages(job, started, ended, offset_ns),
            )
        )
        return f"{trace_id:032x}"

    async def close(self) -> None:
        """Sends the queued spans, for a bounded time."""
        closing = threading.Thread(target=self._processor.shutdown, name="traces", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSE_TIMEOUT_S)


class _RequestSpan(ReadableSpan):
    """The span of a request that carries those of its stages, to be made later."""

    def __init__(self, name: str, *, stages: Sequence[Stage], context: SpanContext, **fields: object) -> None:
        super().__init__(name, context, **fields)  # type: ignore[arg-type]
        self.stages = stages
        self.span_context = context

    def parts(self, ids: RandomIdGenerator) -> list[ReadableSpan]:
        """Spans of the stages, inside that of the request."""
        return [
            ReadableSpan(
                name,
                context=SpanContext(
                    self.span_context.trace_id, ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED
                ),
                parent=self.span_context,
                resource=self.resource,
                start_time=began,
                end_time=ended,
                instrumentation_scope=_SCOPE,
            )
            for name, began, ended in self.stages
        ]


class _WithStages(SpanExporter):
    """Exporter that makes the spans of stages on the thread that sends, off the event loop."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._ids = RandomIdGenerator()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends the spans of requests and of their stages."""
        parts = [part for span in spans if isinstance(span, _RequestSpan) for part in span.parts(self._ids)]
        return self._exporter.export([*spans, *parts])

    def shutdown(self) -> None:
        """Shuts the inner exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flushes the inner exporter; nothing is held back here."""
        return self._exporter.force_flush(timeout_millis)


def _context_of(parent: Parent | None, trace_id: int) -> SpanContext | None:
    if parent is None:
        return None
    flags = _SAMPLED if parent.sampled else TraceFlags(TraceFlags.DEFAULT)
    return SpanContext(trace_id, int(parent.span_id, 16), is_remote=True, trace_flags=flags)


def _stages(job: Job | None, started: float, ended: float, offset_ns: int) -> list[Stage]:
    """Begin and end of each stage that the request went through."""
    if job is None:
        return []
    seconds = [job.admitted_at - started, *job.stages_s(), *([ended - job.finished_at] if job.answered else [])]
    stages, began = [], started
    for name, took in zip((READ, *STAGES, RESPOND), seconds, strict=False):
        if took > 0 or job.answered:
            stages.append((name, offset_ns + int(began * 1e9), offset_ns + int((began + took) * 1e9)))
        began += took
    return stages
