"""Metrics of models: their requests, batches and texts, and the versions that are deployed."""

import time

import numpy as np

from app.core.errors import ClientGone, DeadlineExceeded, row_of
from app.core.job import READ, RESPOND, STAGES, Job
from app.telemetry.counters import SeriesTable
from app.telemetry.drift import Answers
from app.telemetry.gpu import GpuMetrics

OVERLOAD, DEADLINE, DISCONNECT, FAILURE = DROP_CAUSES = ("overload", "deadline", "disconnect", "failure")
"""Reasons why texts get no answer."""

FAILURES = ("compute_error", "text_too_long")
"""Error codes whose series exist from the start: a rate cannot see the first event of a series that begins with it."""

PENDING_JOBS = 256
"""Jobs counted at a time: alone each costs several times as much."""

_CAUSES: dict[type[BaseException], str] = {DeadlineExceeded: DEADLINE, ClientGone: DISCONNECT}


class ModelMetrics:
    """Requests, batches and texts of one version of a model, with its labels already bound.

    Args:
        table: of the process.
        answers: counts its answers by label, confidence and drift; None where there are none.
        name, version: of the model.

    Attributes:
        dropped: texts without an answer, by cause (`DROP_CAUSES`).
        cache_hits, cache_misses: texts that were found in the cache of answers, and those that were not.
        restarts: device threads that were replaced.
        answered_at: time of the last answer, in seconds since 1970; 0 before the first one.
    """

    def __init__(self, table: SeriesTable, answers: Answers | None, name: str, version: str) -> None:
        stages = table.histogram("sluice_stage_seconds")
        for stage in (READ, RESPOND):
            stages.labels(name, stage)
        self._stages = [stages.labels(name, stage) for stage in STAGES]
        self._name = name
        self.answered_at = 0.0
        self._failed = table.counter("sluice_texts_failed")
        for code in FAILURES:
            self._failed.labels(name, code)
        self.dropped = {cause: table.counter("sluice_texts_dropped").labels(name, cause) for cause in DROP_CAUSES}
        self._texts = table.counter("sluice_texts").labels(name)
        self._tokens = table.counter("sluice_tokens").labels(name)
        self._truncated = table.counter("sluice_texts_truncated").labels(name)
        self._batch_texts = table.histogram("sluice_batch_texts").labels(name)
        self._batch_tokens = table.histogram("sluice_batch_tokens").labels(name)
        self._batch_seconds = table.histogram("sluice_batch_seconds").labels(name)
        self._padded_tokens = table.counter("sluice_batch_padded_tokens").labels(name)
        self.cache_hits = table.counter("sluice_cache_hits").labels(name)
        self.cache_misses = table.counter("sluice_cache_misses").labels(name)
        self.restarts = table.counter("sluice_restarts").labels(name)
        self._version_requests = table.counter("sluice_version_requests").labels(name, version)
        self._version_texts = table.counter("sluice_version_texts").labels(name, version)
        self._answers = answers
        self._noted: list[tuple[float, ...]] = []

    def observe_batch(self, *, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """Notes a batch that came back from the device."""
        self._batch_texts.observe(texts)
        self._batch_tokens.observe(tokens)
        self._batch_seconds.observe(seconds)
        self._padded_tokens.inc(padded_tokens)

    def observe_job(self, job: Job) -> None:
        """Notes a job that ended, well or badly."""
        if job.done.cancelled():
            self.dropped[DISCONNECT].inc(job.num_sent)
        elif error := job.done.exception():
            self.dropped[_CAUSES.get(type(error), FAILURE)].inc(job.num_sent)
        else:
            self._observe_answered(job)

    def count(self) -> None:
        """Counts the jobs and answers that were noted and not counted yet."""
        self._count_jobs()
        if self._answers is not None:
            self._answers.count()

    def retire(self) -> None:
        """Shows no drift from now on: another version takes over. What is still answered is counted."""
        if self._answers is not None:
            self._answers.retired = True

    def _count_jobs(self) -> None:
        if not self._noted:
            return
        columns_RJ, self._noted = np.array(self._noted).T, []
        texts, tokens, truncated = columns_RJ[:3].sum(axis=1).tolist()
        self._texts.inc(texts)
        self._version_requests.inc(columns_RJ.shape[1])
        self._version_texts.inc(texts)
        self._tokens.inc(tokens)
        self._truncated.inc(truncated)
        for stage, seconds_J in zip(self._stages, columns_RJ[3:], strict=True):
            stage.observe_array(seconds_J)

    def inc_failed(self, code: str, times: int = 1) -> None:
        """Counts a text that failed with this error code, so often as the request has it, while others did not."""
        self._failed.labels(self._name, code).inc(times)

    def _observe_answered(self, job: Job) -> None:
        self.answered_at = time.time()
        self._noted.append((job.num_sent, job.num_tokens, job.num_truncated, *job.stages_s()))
        if len(self._noted) >= PENDING_JOBS:
            self._count_jobs()
        if self._answers is not None and (found := job.sent_texts()) is not None:
            self._answers.note(*found)
        for index, error in job.errors.items():
            self.inc_failed(row_of(error).code, job.times_sent(index))


class DeploymentMetrics:
    """Versions that are loaded, their shares and queues, reloads and shadows.

    Attributes:
        queue_texts, queue_tokens: depth of a model's queue.
        reloads: checkpoints that were `loaded` while serving, or `refused`, by model.
        shadow_texts: copies of texts, by model, version and outcome at the shadow.
    """

    def __init__(self, table: SeriesTable, gpu: GpuMetrics) -> None:
        self._gpu = gpu
        self._info = table.gauge("sluice_model_info")
        self._shares = table.gauge("sluice_version_share")
        self.queue_texts = table.gauge("sluice_queue_texts")
        self.queue_tokens = table.gauge("sluice_queue_tokens")
        self.reloads = table.counter("sluice_reloads")
        self.shadow_texts = table.counter("sluice_shadow_texts")

    def set_version(self, name: str, version: str, device: str, dtype: str, share: float) -> None:
        """Notes a version that is loaded, and the share of requests that it answers."""
        if device != "cpu":
            self._gpu.devices.add(device)
        self._info.labels(name, version, device, dtype).set(1.0)
        self._shares.labels(name, version).set(share)

    def forget(self, name: str) -> None:
        """Drops the versions of a model; their counts stay."""
        for series in (self._info, self._shares, self.queue_texts, self.queue_tokens):
            series.forget(name)
