"""Metrics of one server process, and the text that Prometheus reads of all of them.

Each application has its own, so that several can live in one process. `app.telemetry.families` is the table.
"""

from weakref import WeakSet

from prometheus_client import CollectorRegistry, ProcessCollector

from app.core.classifier import Embedder, classifies
from app.core.job import READ, RESPOND, Job
from app.core.shared import SharedFolder
from app.telemetry.counters import Counter, SeriesTable, Snapshot, Totals
from app.telemetry.drift import AnswerMetrics
from app.telemetry.explain import ExplainMetrics
from app.telemetry.families import FAMILIES
from app.telemetry.gpu import GpuMetrics
from app.telemetry.models import DeploymentMetrics, ModelMetrics
from app.telemetry.sharing import WORKER_RESTARTS, SharedSnapshots

STATUSES = ("200", "500", "503", "504")
"""Statuses whose series exist from the start: a rate cannot see the first event of a series that begins with it."""


class RequestMetrics:
    """Requests over HTTP, by route and by API key.

    Attributes:
        key_requests, key_texts: requests by key and status, and texts by key.
    """

    def __init__(self, table: SeriesTable) -> None:
        self._requests = table.counter("sluice_http_requests")
        self._seconds = table.histogram("sluice_http_request_seconds")
        self._stages = table.histogram("sluice_stage_seconds")
        self.key_requests = table.counter("sluice_key_requests")
        self.key_texts = table.counter("sluice_key_texts")

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an answered request; `route` is a template."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_job(self, model: str, job: Job, started: float, ended: float) -> None:
        """Notes the time around a job: when its request began and ended, in seconds of `time.monotonic`."""
        self._stages.labels(model, READ).observe(job.admitted_at - started)
        if job.answered:
            self._stages.labels(model, RESPOND).observe(ended - job.finished_at)

    def refused(self, route: str) -> Counter:
        """Returns the counter of requests for a route that were refused before they were read."""
        return self._requests.labels("POST", route, "503")

    def expect(self, route: str) -> None:
        """Begins the series of a route to which texts are posted."""
        self._seconds.labels(route)
        for status in STATUSES:
            self._requests.labels("POST", route, status)


class ProcessMetrics:
    """Readiness, limits, connections and resources of the process.

    Attributes:
        connections: that are open.
        connections_cut: that the server closed, by cause.
        lag_seconds: of the event loop.
        ready: 1 if the server takes traffic.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.connections = table.gauge("sluice_connections").labels()
        self.connections_cut = table.counter("sluice_connections_cut")
        self.lag_seconds = table.histogram("sluice_event_loop_lag_seconds").labels()
        self.ready = table.gauge("sluice_ready").labels()
        self._deadline = table.gauge("sluice_deadline_seconds")
        self._queue_limit = table.gauge("sluice_queue_texts_limit")
        table.gauge("sluice_workers").labels().set(1.0)
        table.counter(WORKER_RESTARTS).labels()
        self._cpu_seconds = table.counter("process_cpu_seconds").labels()
        self._resources = {name: table.gauge(name).labels() for name in RESOURCES}
        self._source = ProcessCollector(registry=CollectorRegistry())

    def set_limits(self, *, deadline_s: float, max_queue_texts: int) -> None:
        """Notes the settings that other figures are read against."""
        self._deadline.labels().set(deadline_s)
        self._queue_limit.labels().set(max_queue_texts)

    def set_resources(self) -> None:
        """Reads processor time, memory and open files of this process."""
        samples = {sample.name: sample.value for metric in self._source.collect() for sample in metric.samples}
        self._cpu_seconds.value = samples.get("process_cpu_seconds_total", 0.0)
        for name, gauge in self._resources.items():
            gauge.set(samples.get(name, 0.0))


RESOURCES = (
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)


class Metrics:
    """All metrics of one application.

    Args:
        folder: where other processes of the same server leave theirs, if there are any.
    """

    def __init__(self, folder: SharedFolder | None = None) -> None:
        gauges = {family.name for family in FAMILIES if family.kind == "gauge"}
        self._shared = None if folder is None else SharedSnapshots(folder, gauges)
        self._table = table = SeriesTable()
        self.requests = RequestMetrics(table)
        self.process = ProcessMetrics(table)
        self.explain = ExplainMetrics(table)
        self.gpu = GpuMetrics(table)
        self.deployments = DeploymentMetrics(table, self.gpu)
        self.answers = AnswerMetrics(table)
        self._models: WeakSet[ModelMetrics] = WeakSet()

    def for_model(self, name: str, model: Embedder | None = None, *, of_answers: bool = True) -> ModelMetrics:
        """Metrics of one version of a model, and of its answers if it is given and classifies.

        Args:
            name: of the model.
            model: the version.
            of_answers: false for requests that get no labels.
        """
        answers = self.answers.of(name, model) if model is not None and of_answers and classifies(model) else None
        found = ModelMetrics(self._table, answers, name, "" if model is None else model.version)
        self._models.add(found)
        return found

    def snapshot(self) -> Snapshot:
        """All values now; takes a fraction of a millisecond. Call it on the event loop."""
        self.process.set_resources()
        self.answers.count()
        for model in self._models:
            model.count()
        return self._table.snapshot()

    def share(self, snapshot: Snapshot) -> None:
        """Leaves a snapshot where the other processes find it. Call it on the event loop, as soon as it is taken."""
        if self._shared is not None:
            self._shared.write(snapshot)

    def render(self, snapshot: Snapshot) -> bytes:
        """Text for Prometheus, over all processes; takes milliseconds, so call it off the event loop."""
        return self._table.render(self._with_others(snapshot))

    def totals(self, snapshot: Snapshot) -> Totals:
        """Values over all processes; reads files, so call it off the event loop."""
        return self._table.totals(self._with_others(snapshot))

    def _with_others(self, snapshot: Snapshot) -> list[Snapshot]:
        return [snapshot, *(self._shared.others() if self._shared is not None else ())]
