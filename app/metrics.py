"""What Prometheus is told. One registry an application, so that several can live in one process.

No label ever holds anything that a client wrote: routes are templates, methods are those of HTTP.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from app.errors import AppError, ClientGone, DeadlineExceeded, row_of
from app.jobs import STAGES, Job

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TOKENS = (16, 64, 256, 1024, 4096, 16_384, 65_536)


class Metrics:
    """All metrics of one application."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "sluice_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "sluice_http_request_seconds",
            "From the request's headers to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.texts = Counter("sluice_texts", "Texts classified.", ("model",), registry=registry)
        self.tokens = Counter("sluice_tokens", "Tokens of the texts classified.", ("model",), registry=registry)
        self.truncated = Counter("sluice_texts_truncated", "Texts cut at the limit.", ("model",), registry=registry)
        self.failed = Counter("sluice_texts_failed", "Texts that failed alone.", ("model", "type"), registry=registry)
        self.dropped = Counter(
            "sluice_texts_dropped", "Texts without an answer, by cause.", ("model", "cause"), registry=registry
        )
        self.stage_seconds = Histogram(
            "sluice_stage_seconds",
            "Where a request's time goes: waiting for a tokeniser, tokenising, waiting for the device, on the device.",
            ("model", "stage"),
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_texts = Histogram(
            "sluice_batch_texts", "Texts of a batch.", ("model",), buckets=TEXTS, registry=registry
        )
        self.batch_tokens = Histogram(
            "sluice_batch_tokens", "Tokens of a batch without padding.", ("model",), buckets=TOKENS, registry=registry
        )
        self.batch_seconds = Histogram(
            "sluice_batch_seconds", "Time of a batch on the device.", ("model",), buckets=SECONDS, registry=registry
        )
        self.padded_tokens = Counter(
            "sluice_batch_padded_tokens",
            "Tokens computed, padding included; the padding share is 1 - sluice_batch_tokens_sum / this.",
            ("model",),
            registry=registry,
        )
        self.restarts = Counter("sluice_restarts", "Device threads replaced.", ("model",), registry=registry)
        self.queue_texts = Gauge("sluice_queue_texts", "Texts under way.", ("model",), registry=registry)
        self.queue_tokens = Gauge("sluice_queue_tokens", "Tokens under way.", ("model",), registry=registry)
        self._ready = Gauge("sluice_ready", "1 if the server takes traffic.", registry=registry)
        self._models = Gauge(
            "sluice_model_info", "1 for each loaded model.", ("model", "version", "device", "dtype"), registry=registry
        )

    def for_model(self, name: str) -> "ModelMetrics":
        """The metrics of one model."""
        return ModelMetrics(self, name)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; `route` is a template."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def loaded(self, name: str, version: str, device: str, dtype: str) -> None:
        """Notes a model that takes requests."""
        self._models.labels(name, version, device, dtype).set(1)

    def watch_ready(self, ready: Callable[[], bool]) -> None:
        """Asks `ready` at each scrape."""
        self._ready.set_function(ready)

    def render(self) -> bytes:
        """The text that Prometheus reads; takes milliseconds, so call it off the event loop."""
        return generate_latest(self.registry)


class ModelMetrics:
    """The metrics of one model, with its label already bound."""

    def __init__(self, metrics: Metrics, name: str) -> None:
        self._metrics = metrics
        self._name = name
        self._texts = metrics.texts.labels(name)
        self._tokens = metrics.tokens.labels(name)
        self._truncated = metrics.truncated.labels(name)
        self._stages = {stage: metrics.stage_seconds.labels(name, stage) for stage in STAGES}
        self._batch_texts = metrics.batch_texts.labels(name)
        self._batch_tokens = metrics.batch_tokens.labels(name)
        self._batch_seconds = metrics.batch_seconds.labels(name)
        self._padded_tokens = metrics.padded_tokens.labels(name)
        self._restarts = metrics.restarts.labels(name)

    def watch_queue(self, texts: Callable[[], int], tokens: Callable[[], int]) -> None:
        """Asks for the depth of the queue at each scrape."""
        self._metrics.queue_texts.labels(self._name).set_function(texts)
        self._metrics.queue_tokens.labels(self._name).set_function(tokens)

    def computed(self, *, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """A batch came back from the device."""
        self._batch_texts.observe(texts)
        self._batch_tokens.observe(tokens)
        self._batch_seconds.observe(seconds)
        self._padded_tokens.inc(padded_tokens)

    def finished(self, job: Job) -> None:
        """A job ended, well or badly."""
        if job.done.cancelled():
            self.dropped("disconnect", len(job.texts))
        elif error := job.done.exception():
            causes = {DeadlineExceeded: "deadline", ClientGone: "disconnect"}
            self.dropped(causes.get(type(error), "failure"), len(job.texts))
        else:
            self._answered(job)

    def _answered(self, job: Job) -> None:
        self._texts.inc(len(job.texts))
        self._tokens.inc(job.num_tokens)
        self._truncated.inc(sum(encoded is not None and encoded.truncated for encoded in job.encoded))
        for stage, seconds in job.stages_s().items():
            self._stages[stage].observe(seconds)
        for outcome in job.outcomes:
            if isinstance(outcome, AppError):
                self.failed(outcome)

    def failed(self, error: Exception) -> None:
        """One text failed and its neighbours did not."""
        self._metrics.failed.labels(self._name, row_of(error).code).inc()

    def dropped(self, cause: str, num_texts: int) -> None:
        """Texts got no answer: `overload`, `deadline`, `disconnect` or `failure`."""
        self._metrics.dropped.labels(self._name, cause).inc(num_texts)

    def restarted(self) -> None:
        """The device thread was replaced."""
        self._restarts.inc()
