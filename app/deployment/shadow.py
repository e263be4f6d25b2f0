"""Shadow traffic: a second version gets copies of requests, and metrics count how often its answers differ.

The version that answers requests has precedence: a copy is taken once the request itself is answered, few texts are
under way, batches are small, and nothing is copied while the other version is busy. Dropped copies are counted too.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.batching.batcher import Batcher
from app.config.sections import BatchLimits
from app.core.classifier import Embedder
from app.core.errors import ServiceError
from app.core.job import Answer, Job
from app.telemetry.counters import Counter

MAX_TEXTS = 64
"""Largest number of texts under way; further copies are dropped."""

BATCH_TEXTS = 8
"""Texts of one batch. A request may have to wait for one such batch: about a millisecond."""

AGREED, DISAGREED, FAILED, DROPPED = "agreed", "disagreed", "failed", "dropped"
"""Outcomes of a copied text."""


def shadow_limits(classifier: Embedder, stuck_after_s: float) -> BatchLimits:
    """Limits of batches and queue for a classifier that only gets copies."""
    return BatchLimits(
        max_batch_texts=BATCH_TEXTS,
        max_batch_tokens=classifier.max_tokens,
        max_queue_texts=MAX_TEXTS,
        max_queue_tokens=MAX_TEXTS * classifier.max_tokens,
        stuck_after_s=stuck_after_s,
    )


@dataclass(frozen=True, slots=True)
class Shadow:
    """Copies jobs of one batcher to another and compares the answers; used as `Batcher.mirror`.

    Attributes:
        primary: batcher whose jobs are copied.
        candidate: batcher that gets the copies, of a classifier with the same labels.
        counter: gives the counter of texts with an outcome.
        share: of jobs to copy, 0 to 1.
        timeout_s: time after which a copy is given up.
        busy_texts: nothing is copied while the primary has at least so many texts under way.
    """

    primary: Batcher
    candidate: Batcher
    counter: Callable[[str], Counter]
    share: float
    timeout_s: float
    busy_texts: int

    def __call__(self, job: Job, texts: Sequence[str]) -> None:
        """Decides whether to copy a job that has begun."""
        if random.random() < self.share:  # noqa: S311  # which requests are copied is no secret
            copied = list(texts[:MAX_TEXTS])
            job.done.add_done_callback(lambda _: self._copy(job, copied))

    def _copy(self, job: Job, texts: Sequence[str]) -> None:
        if job.done.cancelled() or job.done.exception():
            return
        texts = texts[: max(0, MAX_TEXTS - self.candidate.admission.texts)]
        if self.primary.admission.texts >= self.busy_texts:
            texts = texts[:0]
        self.counter(DROPPED).inc(job.num_texts - len(texts))
        if not texts:
            return
        try:
            copy = self.candidate.submit(texts, self.timeout_s, job.max_tokens)
        except ServiceError:
            self.counter(DROPPED).inc(len(texts))
            return
        copy.done.add_done_callback(lambda _: self._compare(job, copy))

    def _compare(self, job: Job, copy: Job) -> None:
        if copy.done.cancelled() or copy.done.exception():
            self.counter(FAILED).inc(copy.num_texts)
            return
        for answer, other in zip(job.outcomes, copy.outcomes, strict=False):  # the first ones may be copied alone
            if not isinstance(answer, Answer):
                continue  # nothing to compare with
            if not isinstance(other, Answer):
                self.counter(FAILED).inc()
            else:
                agreed = answer.probabilities.argmax() == other.probabilities.argmax()
                self.counter(AGREED if agreed else DISAGREED).inc()
