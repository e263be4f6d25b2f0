"""What Prometheus is told. One set of tallies an application, so that several can live in one process.

No label ever holds anything that a client wrote: routes are templates, methods are those of HTTP.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry, ProcessCollector

from app.core.classifier import Classifier
from app.core.errors import AppError, ClientGone, DeadlineExceeded, row_of
from app.core.job import READ, RESPOND, STAGES, Job
from app.core.shared import WORKER_RESTARTS, Board, Snapshot
from app.telemetry.counters import Combine, Family, Tallies
from app.telemetry.drift import Answers, AnswerTallies
from app.telemetry.explain import ExplainTallies
from app.telemetry.gpu import GpuGauges

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TOKENS = (16, 64, 256, 1024, 4096, 16_384, 65_536)

CAUSES = ("overload", "deadline", "disconnect", "failure")
"""Why texts get no answer."""

STATUSES = ("200", "500", "503", "504")
FAILURES = ("compute_error", "text_too_long")
"""Series that are there from the start: a rate cannot see the first event of one that begins with it."""

PROCESS: dict[str, tuple[str, Combine]] = {
    "process_resident_memory_bytes": ("Resident memory of all processes.", sum),
    "process_virtual_memory_bytes": ("Virtual memory of all processes.", sum),
    "process_open_fds": ("Open file descriptors of all processes.", sum),
    "process_max_fds": ("File descriptors that a process may open.", min),
    "process_start_time_seconds": ("When the oldest process began, in seconds since 1970.", min),
}


class Metrics:
    """All metrics of one application.

    Args:
        board: where other processes of the same server leave theirs, if there are any.

    Attributes:
        gpus: the GPUs that models compute on.
        explain: of explanations.
    """

    def __init__(self, board: Board | None = None) -> None:
        self._board = board
        self.gpus: set[str] = set()
        self._tallies = tallies = Tallies()
        self._requests = tallies.counter("sluice_http_requests", "Requests answered.", "method", "route", "status")
        self._seconds = tallies.histogram(
            "sluice_http_request_seconds",
            "From the request's headers to the end of its answer.",
            "route",
            bounds=SECONDS,
        )
        self.key_requests = tallies.counter("sluice_key_requests", "Requests by the API key shown.", "key", "status")
        self.key_texts = tallies.counter("sluice_key_texts", "Texts by the API key shown.", "key")
        self.connections = tallies.gauge("sluice_connections", "Open connections.")
        self.connections_cut = tallies.counter(
            "sluice_connections_cut",
            "Connections closed by the server, by cause: silent, headers, headers_size, body, answer, idle, excess.",
            "cause",
        )
        self.texts = tallies.counter("sluice_texts", "Texts classified.", "model")
        self.tokens = tallies.counter("sluice_tokens", "Tokens of the texts classified.", "model")
        self.truncated = tallies.counter("sluice_texts_truncated", "Texts cut at the limit.", "model")
        self.failed = tallies.counter("sluice_texts_failed", "Texts that failed alone.", "model", "type")
        self.dropped = tallies.counter("sluice_texts_dropped", "Texts without an answer, by cause.", "model", "cause")
        self.stage_seconds = tallies.histogram(
            "sluice_stage_seconds",
            "Where a request's time goes. read: until its body is read and it is admitted (at once or not at all, so "
            "there is no wait for a permit); wait: for a tokeniser; tokenise; queue: for the device; compute: on the "
            "device; respond: writing and sending the answer. Streams are not in read and respond.",
            "model",
            "stage",
            bounds=SECONDS,
        )
        self.batch_texts = tallies.histogram("sluice_batch_texts", "Texts of a batch.", "model", bounds=TEXTS)
        self.batch_tokens = tallies.histogram(
            "sluice_batch_tokens", "Tokens of a batch without padding.", "model", bounds=TOKENS
        )
        self.batch_seconds = tallies.histogram(
            "sluice_batch_seconds", "Time of a batch on the device.", "model", bounds=SECONDS
        )
        self.padded_tokens = tallies.counter(
            "sluice_batch_padded_tokens",
            "Tokens computed, padding included; the padding share is 1 - sluice_batch_tokens_sum / this.",
            "model",
        )
        self.cache_hits = tallies.counter("sluice_cache_hits", "Texts whose answer was remembered.", "model")
        self.cache_misses = tallies.counter("sluice_cache_misses", "Texts that had to be computed.", "model")
        self.restarts = tallies.counter("sluice_restarts", "Device threads replaced.", "model")
        self.explain = ExplainTallies(tallies)
        self.answers = AnswerTallies(tallies)
        self._answers: WeakSet[Answers] = WeakSet()
        self.queue_texts = tallies.gauge("sluice_queue_texts", "Texts under way.", "model")
        self.queue_tokens = tallies.gauge("sluice_queue_tokens", "Tokens under way.", "model")
        self._queue_limit = tallies.gauge(
            "sluice_queue_texts_limit",
            "Texts that may be under way for each model, over all workers (max_queue_texts); more get 503.",
        )
        self._deadline = tallies.gauge(
            "sluice_deadline_seconds", "Time that a request may take (deadline_ms), else it gets 504.", combine=max
        )
        self._ready = tallies.gauge("sluice_ready", "1 if the server takes traffic.", combine=min)
        self._models = tallies.gauge(
            "sluice_model_info", "1 for each loaded version.", "model", "version", "device", "dtype", combine=max
        )
        self._shares = tallies.gauge(
            "sluice_version_share", "Share of requests that a version answers.", "model", "version", combine=max
        )
        self.version_requests = tallies.counter(
            "sluice_version_requests", "Requests answered by a version.", "model", "version"
        )
        self.version_texts = tallies.counter("sluice_version_texts", "Texts answered by a version.", "model", "version")
        self._reloads = tallies.counter(
            "sluice_reloads", "Checkpoints loaded while serving, or refused.", "model", "outcome"
        )
        self._shadow = tallies.counter(
            "sluice_shadow_texts",
            "Copies of texts that a shadow got: its label agreed or disagreed, it failed, or it was busy.",
            "model",
            "version",
            "outcome",
        )
        tallies.gauge("sluice_workers", "Processes that answer.").of().watch = lambda: 1.0
        # Counted by the process that replaces them, see app.workers.
        tallies.counter(
            WORKER_RESTARTS,
            "Worker processes that died and were replaced; what they had in flight was lost. If the log has no cause, "
            "look for the kernel's out-of-memory killer.",
        ).of()
        self.lag = tallies.histogram(
            "sluice_event_loop_lag_seconds",
            "How late the event loop is, looked at ten times a second. If often more than 10 ms, something computes on "
            "it, or the process gets no processor.",
            bounds=LAG,
        ).of()
        self.gpu = GpuGauges(tallies)
        self._cpu_seconds = tallies.counter("process_cpu_seconds", "Processor time of all processes.").of()
        self._process = {name: tallies.gauge(name, text, combine=how).of() for name, (text, how) in PROCESS.items()}
        self._process_source = ProcessCollector(registry=CollectorRegistry())

    @property
    def families(self) -> Sequence[Family[Any]]:
        """All that can be scraped: names, kinds, descriptions, labels."""
        return self._tallies.families

    def for_model(self, name: str, version: str = "") -> "ModelMetrics":
        """The metrics of one version of a model."""
        return ModelMetrics(self, name, version)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; `route` is a template."""
        self._requests.of(method, route, str(status)).inc()
        self._seconds.of(route).observe(seconds)

    def expect(self, route: str) -> None:
        """Begins the series of a route to which texts are posted."""
        self._seconds.of(route)
        for status in STATUSES:
            self._requests.of("POST", route, status)

    def tell_limits(self, *, deadline_s: float, max_queue_texts: int) -> None:
        """Notes the settings that other figures are read against."""
        self._deadline.of().watch = lambda: deadline_s
        self._queue_limit.of().watch = lambda: max_queue_texts

    def surrounded(self, model: str, job: Job, started: float, ended: float) -> None:
        """A request that became `job` was answered: when it began and ended, in seconds of `time.monotonic`."""
        self.stage_seconds.of(model, READ).observe(job.admitted_at - started)
        if job.answered:
            self.stage_seconds.of(model, RESPOND).observe(ended - job.finished_at)

    def loaded(self, name: str, version: str, device: str, dtype: str, share: float) -> None:
        """Notes a version that is loaded, and the share of requests that it answers."""
        if device != "cpu":
            self.gpus.add(device)
        self._models.of(name, version, device, dtype).watch = lambda: 1.0
        self._shares.of(name, version).watch = partial(float, share)

    def unloaded(self, name: str) -> None:
        """Forgets which versions of a model are loaded; what they have counted stays."""
        for family in (self._models, self._shares, self.queue_texts, self.queue_tokens, self.answers.drift):
            family.forget(name)

    def watch_queue(self, name: str, texts: Callable[[], int], tokens: Callable[[], int]) -> None:
        """Asks for the depth of a model's queue at each scrape."""
        self.queue_texts.of(name).watch = texts
        self.queue_tokens.of(name).watch = tokens

    def reloaded(self, name: str, outcome: str) -> None:
        """A checkpoint was `loaded` while serving, or `refused`."""
        self._reloads.of(name, outcome).inc()

    def shadowed(self, name: str, version: str, outcome: str, num_texts: int) -> None:
        """What became of copies that a shadow got."""
        self._shadow.of(name, version, outcome).inc(num_texts)

    def watch_answers(self, model: str, classifier: Classifier) -> Answers:
        """Counts what the answers of a model look like."""
        answers = Answers(self.answers, model, classifier)
        self._answers.add(answers)
        return answers

    def watch_ready(self, ready: Callable[[], bool]) -> None:
        """Asks `ready` at each scrape."""
        self._ready.of().watch = ready

    def snapshot(self) -> Snapshot:
        """All values now; takes a fraction of a millisecond. Call it on the event loop."""
        self._note_process()
        for answers in self._answers:
            answers.count()
        return self._tallies.snapshot()

    def share(self, snapshot: Snapshot) -> None:
        """Leaves it where the other processes find it."""
        if self._board is not None:
            self._board.write(*self._tallies.split(snapshot))

    def render(self, snapshot: Snapshot) -> bytes:
        """The text that Prometheus reads, over all processes; takes milliseconds, so call it off the event loop."""
        # Shared first: whichever process is asked next, no counter of this one goes down.
        self.share(snapshot)
        return self._tallies.render([snapshot, *(self._board.others() if self._board is not None else ())])

    def _note_process(self) -> None:
        samples = {s.name: s.value for metric in self._process_source.collect() for s in metric.samples}
        self._cpu_seconds.value = samples.get("process_cpu_seconds_total", 0.0)
        for name, gauge in self._process.items():
            gauge.watch = partial(float, samples.get(name, 0.0))


class ModelMetrics:
    """The metrics of one version of a model, with its labels already bound."""

    def __init__(self, metrics: Metrics, name: str, version: str) -> None:
        self._metrics = metrics
        self._name = name
        self._texts = metrics.texts.of(name)
        self._tokens = metrics.tokens.of(name)
        self._truncated = metrics.truncated.of(name)
        self._answers: Answers | None = None
        for cause in CAUSES:
            metrics.dropped.of(name, cause)
        for type_ in FAILURES:
            metrics.failed.of(name, type_)
        for stage in (READ, RESPOND):
            metrics.stage_seconds.of(name, stage)
        self._stages = [metrics.stage_seconds.of(name, stage) for stage in STAGES]
        self._batch_texts = metrics.batch_texts.of(name)
        self._batch_tokens = metrics.batch_tokens.of(name)
        self._batch_seconds = metrics.batch_seconds.of(name)
        self._padded_tokens = metrics.padded_tokens.of(name)
        self._cache_hits = metrics.cache_hits.of(name)
        self._cache_misses = metrics.cache_misses.of(name)
        self._restarts = metrics.restarts.of(name)
        self._version_requests = metrics.version_requests.of(name, version)
        self._version_texts = metrics.version_texts.of(name, version)

    def watch_answers(self, classifier: Classifier) -> None:
        """Counts what the answers look like."""
        self._answers = self._metrics.watch_answers(self._name, classifier)

    def computed(self, *, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """A batch came back from the device."""
        self._batch_texts.observe(texts)
        self._batch_tokens.observe(tokens)
        self._batch_seconds.observe(seconds)
        self._padded_tokens.inc(padded_tokens)

    def recalled(self, *, hits: int, misses: int) -> None:
        """So many texts were found in the cache of answers, and so many were not."""
        self._cache_hits.inc(hits)
        self._cache_misses.inc(misses)

    def finished(self, job: Job) -> None:
        """A job ended, well or badly."""
        if job.done.cancelled():
            self.dropped("disconnect", job.num_texts)
        elif error := job.done.exception():
            causes = {DeadlineExceeded: "deadline", ClientGone: "disconnect"}
            self.dropped(causes.get(type(error), "failure"), job.num_texts)
        else:
            self._answered(job)

    def _answered(self, job: Job) -> None:
        self._texts.inc(job.num_texts)
        self._version_requests.inc()
        self._version_texts.inc(job.num_texts)
        self._tokens.inc(job.num_tokens)
        self._truncated.inc(sum(encoded is not None and encoded.truncated for encoded in job.encoded))
        for stage, seconds in zip(self._stages, job.stages_s(), strict=True):
            stage.observe(seconds)
        if self._answers is not None:
            self._answers.note(job.outcomes, job.encoded)
        for outcome in job.outcomes:
            if isinstance(outcome, AppError):
                self.failed(outcome)

    def failed(self, error: Exception) -> None:
        """One text failed and its neighbours did not."""
        self._metrics.failed.of(self._name, row_of(error).code).inc()

    def dropped(self, cause: str, num_texts: int) -> None:
        """Texts got no answer; `cause` is one of `CAUSES`."""
        self._metrics.dropped.of(self._name, cause).inc(num_texts)

    def restarted(self) -> None:
        """The device thread was replaced."""
        self._restarts.inc()
