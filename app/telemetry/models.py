"""Metrics of models: their requests, batches and texts, and the versions that are deployed."""

from collections.abc import Callable

from app.core.classifier import Classifier
from app.core.errors import AppError, ClientGone, DeadlineExceeded, row_of
from app.core.job import READ, RESPOND, STAGES, Job
from app.telemetry.counters import SeriesTable
from app.telemetry.drift import AnswerMetrics, Answers
from app.telemetry.gpu import GpuMetrics

OVERLOAD, DEADLINE, DISCONNECT, FAILURE = DROP_CAUSES = ("overload", "deadline", "disconnect", "failure")
"""Reasons why texts get no answer."""

FAILURES = ("compute_error", "text_too_long")
"""Error codes whose series exist from the start: a rate cannot see the first event of a series that begins with it."""

_CAUSES: dict[type[BaseException], str] = {DeadlineExceeded: DEADLINE, ClientGone: DISCONNECT}


class ModelMetrics:
    """Requests, batches and texts of one version of a model, with its labels already bound."""

    def __init__(self, table: SeriesTable, answers: AnswerMetrics, name: str, version: str) -> None:
        stages = table.histogram("sluice_stage_seconds")
        for stage in (READ, RESPOND):
            stages.labels(name, stage)
        self._stages = [stages.labels(name, stage) for stage in STAGES]
        self._name = name
        self._failed = table.counter("sluice_texts_failed")
        for code in FAILURES:
            self._failed.labels(name, code)
        self._dropped = {cause: table.counter("sluice_texts_dropped").labels(name, cause) for cause in DROP_CAUSES}
        self._texts = table.counter("sluice_texts").labels(name)
        self._tokens = table.counter("sluice_tokens").labels(name)
        self._truncated = table.counter("sluice_texts_truncated").labels(name)
        self._batch_texts = table.histogram("sluice_batch_texts").labels(name)
        self._batch_tokens = table.histogram("sluice_batch_tokens").labels(name)
        self._batch_seconds = table.histogram("sluice_batch_seconds").labels(name)
        self._padded_tokens = table.counter("sluice_batch_padded_tokens").labels(name)
        self._cache_hits = table.counter("sluice_cache_hits").labels(name)
        self._cache_misses = table.counter("sluice_cache_misses").labels(name)
        self._restarts = table.counter("sluice_restarts").labels(name)
        self._version_requests = table.counter("sluice_version_requests").labels(name, version)
        self._version_texts = table.counter("sluice_version_texts").labels(name, version)
        self._all_answers = answers
        self._answers: Answers | None = None

    def count_answers(self, classifier: Classifier) -> None:
        """Counts labels, confidence and drift of the answers from now on."""
        self._answers = self._all_answers.of(self._name, classifier)

    def observe_batch(self, *, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """Notes a batch that came back from the device."""
        self._batch_texts.observe(texts)
        self._batch_tokens.observe(tokens)
        self._batch_seconds.observe(seconds)
        self._padded_tokens.inc(padded_tokens)

    def inc_cache(self, *, hits: int, misses: int) -> None:
        """Counts texts that were found in the cache of answers, and those that were not."""
        self._cache_hits.inc(hits)
        self._cache_misses.inc(misses)

    def observe_job(self, job: Job) -> None:
        """Notes a job that ended, well or badly."""
        if job.done.cancelled():
            self.inc_dropped(DISCONNECT, job.num_texts)
        elif error := job.done.exception():
            self.inc_dropped(_CAUSES.get(type(error), FAILURE), job.num_texts)
        else:
            self._observe_answered(job)

    def inc_failed(self, code: str) -> None:
        """Counts a text that failed with this error code while its neighbours did not."""
        self._failed.labels(self._name, code).inc()

    def inc_dropped(self, cause: str, num_texts: int) -> None:
        """Counts texts without an answer; `cause` is one of `DROP_CAUSES`."""
        self._dropped[cause].inc(num_texts)

    def inc_restarts(self) -> None:
        """Counts a device thread that was replaced."""
        self._restarts.inc()

    def _observe_answered(self, job: Job) -> None:
        self._texts.inc(job.num_texts)
        self._version_requests.inc()
        self._version_texts.inc(job.num_texts)
        self._tokens.inc(job.num_tokens)
        self._truncated.inc(sum(encoded is not None and encoded.truncated for encoded in job.encoded))
        for stage, seconds in zip(self._stages, job.stages_s(), strict=True):
            stage.observe(seconds)
        if self._answers is not None:
            self._answers.note(job.outcomes.values())
        for outcome in job.outcomes.values():
            if isinstance(outcome, AppError):
                self.inc_failed(row_of(outcome).code)


class DeploymentMetrics:
    """Versions that are loaded, their shares and queues, reloads and shadows."""

    def __init__(self, table: SeriesTable, gpu: GpuMetrics) -> None:
        self._gpu = gpu
        self._info = table.gauge("sluice_model_info")
        self._shares = table.gauge("sluice_version_share")
        self._queue_texts = table.gauge("sluice_queue_texts")
        self._queue_tokens = table.gauge("sluice_queue_tokens")
        self._drift = table.gauge("sluice_drift")
        self._reloads = table.counter("sluice_reloads")
        self._shadow_texts = table.counter("sluice_shadow_texts")

    def set_version(self, name: str, version: str, device: str, dtype: str, share: float) -> None:
        """Notes a version that is loaded, and the share of requests that it answers."""
        if device != "cpu":
            self._gpu.devices.add(device)
        self._info.labels(name, version, device, dtype).set(1.0)
        self._shares.labels(name, version).set(share)

    def set_queue(self, name: str, texts: Callable[[], int], tokens: Callable[[], int]) -> None:
        """Asks for the depth of a model's queue at each scrape."""
        self._queue_texts.labels(name).set_function(texts)
        self._queue_tokens.labels(name).set_function(tokens)

    def forget(self, name: str) -> None:
        """Drops the versions of a model; their counts stay."""
        for series in (self._info, self._shares, self._queue_texts, self._queue_tokens, self._drift):
            series.forget(name)

    def inc_reloads(self, name: str, outcome: str) -> None:
        """Counts a checkpoint that was `loaded` while serving, or `refused`."""
        self._reloads.labels(name, outcome).inc()

    def inc_shadow_texts(self, name: str, version: str, outcome: str, num_texts: int) -> None:
        """Counts copies of texts by what became of them at a shadow."""
        self._shadow_texts.labels(name, version, outcome).inc(num_texts)
