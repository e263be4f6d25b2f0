"""Batching of the texts of many requests into few calls of the device; knows no HTTP.

    permit -> tokenise -> queue -> next batch -> device (one thread) -> answers

The event loop hands over and receives; long texts and many are tokenised in a pool of threads, a short one where it
arrives, since handing it over costs more. Nothing waits for company: a batch is what is there when the device frees up.
The device thread is supervised: if it dies, those in its hands get an answer and another thread takes over.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import numpy as np

from app.batching.admission import Admission
from app.batching.bisect import by_halves
from app.batching.cache import ResultCache
from app.batching.policy import policy_for
from app.batching.queue import BatchQueue
from app.batching.supervised import SupervisedThread
from app.config.sections import BatchLimits
from app.core.classifier import Classifier, Logits, Probabilities
from app.core.errors import ComputeError, NotReady, Overloaded
from app.core.job import Answer, Item, Job
from app.telemetry.models import OVERLOAD, ModelMetrics
from model.text import Encoded

logger = logging.getLogger(__name__)

TOKENISE_CHUNK = 64
"""Texts that one tokeniser thread takes at a time, so that a long request uses several and starts computing early."""

INLINE_CHARS = 512
"""Characters of a request up to which it is tokenised on the event loop: 20 µs of English, 300 of Chinese or emoji.
Handing over to a thread costs 100 to 500 µs, and more the busier the interpreter is."""

DRAIN_POLL_S = 0.05

Scores: TypeAlias = tuple[Probabilities, Logits]
"""Rows of one text."""


class Batcher:
    """Queue, tokenisers and device thread of one classifier.

    Args:
        classifier: whose `logits` is called by one thread only.
        limits: of a batch and of the queue.
        metrics: told of every batch and every request.
        tokenisers: threads for `encode`; may be shared with other batchers.
        cache: of the classifier's answers; none if absent.
        device: held while computing, so that classifiers which share a device take turns.

    Attributes:
        admission: texts and tokens under way.
        thread: computes on the device.
        mirror: told of each job that is taken and of its texts, if there is one.
    """

    def __init__(
        self,
        classifier: Classifier,
        limits: BatchLimits,
        metrics: ModelMetrics,
        *,
        tokenisers: Executor,
        device: threading.Lock,
        cache: ResultCache | None = None,
    ) -> None:
        self.admission = Admission(max_texts=limits.max_queue_texts, max_tokens=limits.max_queue_tokens)
        self.mirror: Callable[[Job, Sequence[str]], None] | None = None
        self._classifier = classifier
        self._limits = limits
        self._metrics = metrics
        self._cache = ResultCache(0) if cache is None else cache
        self._tokenisers = tokenisers
        self._device = device
        self._policy = policy_for(classifier, limits)
        self._queue = BatchQueue(self._policy)
        self._jobs: set[Job] = set()
        self._holders = 0
        self._arrived: list[Item] = []
        self._handing_over = False
        self._in_hand: list[Item] = []
        self._in_hand_since = 0.0
        self.thread = SupervisedThread(self._run, fail=self._fail, restarted=metrics.restarts.inc)

    @property
    def state(self) -> str:
        """State of the device thread.

        `running`; `restarting` for a moment after a death; `stuck` while a batch takes far too long; `broken` for good
        when restarts did not help; `stopped` before `start` and after `close`.
        """
        stuck = self._in_hand and time.monotonic() - self._in_hand_since > self._limits.stuck_after_s
        return "stuck" if stuck and self.thread.state == "running" else self.thread.state

    def start(self) -> None:
        """Starts the device thread; call on the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self.thread.start()

    async def close(self) -> None:
        """Fails what is still under way and waits a bounded time for the device thread."""
        await self.thread.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the batcher from being drained, for a caller that submits more than once."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1

    async def drain(self) -> None:
        """Waits until nothing is under way and nobody holds the batcher; others must submit no more."""
        while self._jobs or self._holders:  # noqa: ASYNC110  # an event would cost every job something
            await asyncio.sleep(DRAIN_POLL_S)

    def submit(self, texts: Sequence[str], timeout_s: float, max_tokens: int | None = None) -> Job:
        """Takes texts as a job; await its `done`, and cancel that when the answer is no longer wanted.

        Args:
            texts: each is answered by itself.
            timeout_s: to the answer.
            max_tokens: reads no more of a text; such answers are not remembered.

        Raises:
            Overloaded: there is no room for all of the texts.
            NotReady: the device thread is given up, stopped or stuck.
        """
        if self.state not in ("running", "restarting"):
            raise NotReady(f"The model is {self.state}.", retry_after_s=5)
        digests = self._cache.digests(texts) if max_tokens is None else []
        missing, known = self._cache.recall(digests) if digests else (list(range(len(texts))), [])
        self._metrics.cache_hits.inc(len(known))
        self._metrics.cache_misses.inc(len(missing))
        estimates = self._estimates([texts[index] for index in missing])
        try:
            permit = self.admission.admit(len(missing), sum(estimates), timeout_s)
        except Overloaded:
            self._metrics.dropped[OVERLOAD].inc(len(texts))
            raise
        job = Job(texts, timeout_s, digests, max_tokens)
        self._jobs.add(job)
        job.done.add_done_callback(lambda _: self._finish(job, permit.release))
        if self.mirror is not None:
            self.mirror(job, texts)
        for index, answer in known:
            job.encoded[index] = answer.encoded
            job.settle(index, answer)
        if len(missing) <= TOKENISE_CHUNK and sum(len(texts[index]) for index in missing) <= INLINE_CHARS:
            self._arrived.extend(self._encode(job, missing, partial(permit.replace_tokens, sum(estimates))))
            if self._arrived and not self._handing_over:
                self._handing_over = True
                self._loop.call_soon(self._hand_over)
            return job
        for start in range(0, len(missing), TOKENISE_CHUNK):
            end = start + TOKENISE_CHUNK
            count_tokens = partial(permit.replace_tokens, sum(estimates[start:end]))
            self._tokenisers.submit(self._tokenise, job, missing[start:end], count_tokens)
        return job

    def has_room(self, texts: Sequence[str], timeout_s: float, share: float) -> bool:
        """Tells if `submit` would find room in a queue of that share of its size."""
        return self.admission.has_room(len(texts), sum(self._estimates(texts)), timeout_s, share)

    def _estimates(self, texts: Sequence[str]) -> list[int]:
        # A token is at least a byte and mostly several characters: characters are a fair bound until they are counted.
        return [min(len(text), self._classifier.max_tokens) for text in texts]

    def _finish(self, job: Job, release: Callable[[], None]) -> None:
        release()
        self._jobs.discard(job)
        self._metrics.observe_job(job)

    def _hand_over(self) -> None:
        """Queues the texts of this turn of the event loop at once: waking the device costs more than a text."""
        items, self._arrived, self._handing_over = self._arrived, [], False
        self._enqueue(items)

    # On a tokeniser thread, or on the event loop.

    def _tokenise(self, job: Job, chunk: Sequence[int], count_tokens: Callable[[int], None]) -> None:
        if job.alive:
            self._enqueue(self._encode(job, chunk, count_tokens))

    def _enqueue(self, items: list[Item]) -> None:
        if items:
            self._queue.put(items)
            self._queue.cut_ahead()

    def _encode(self, job: Job, chunk: Sequence[int], count_tokens: Callable[[int], None]) -> list[Item]:
        if job.started_at == job.admitted_at:
            job.started_at = time.monotonic()
        results = by_halves(self._encode_texts, [job.take(index) for index in chunk])
        items = []
        for index, result in zip(chunk, results, strict=True):
            if isinstance(result, Exception):
                self.thread.post(job.settle, index, self._failure("tokenise", result))
            else:
                encoded = _first_tokens(result, job.max_tokens)
                job.encoded[index] = encoded
                items.append(Item(job, index, encoded))
        job.encoded_at = time.monotonic()
        count_tokens(sum(item.num_tokens for item in items))
        return items

    def _encode_texts(self, texts: Sequence[str]) -> list[Encoded]:
        try:
            return self._classifier.encode(texts)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as panic:  # one of Rust's, which means no more than that these texts cannot be read
            raise RuntimeError("the tokeniser panicked") from panic

    # On the device thread.

    def _run(self) -> None:
        while batch := self._queue.take():
            self._compute(batch)

    def _compute(self, batch: list[Item]) -> None:
        started = self._in_hand_since = time.monotonic()
        self._in_hand = batch
        for item in batch:
            item.job.taken_at = started
        if self._queue.full:
            self._tokenisers.submit(self._queue.cut_ahead)
        with self._device:
            results = by_halves(self._score, batch)
        self._in_hand = []
        self.thread.post(self._deliver, batch, results, time.monotonic() - started)

    def _score(self, batch: Sequence[Item]) -> list[Scores]:
        logits = self._classifier.logits([item.encoded for item in batch])
        if not np.isfinite(logits).all():
            raise ArithmeticError("a logit is not a number")
        return list(zip(self._classifier.probabilities(logits), logits, strict=True))

    # On the event loop.

    def _deliver(self, batch: list[Item], results: list[Scores | Exception], seconds: float) -> None:
        self.thread.note_success()
        lengths = [item.encoded.num_tokens for item in batch]
        tokens, cost = sum(lengths), self._policy.cost(lengths)
        self.admission.computed(tokens, seconds)
        self._metrics.observe_batch(texts=len(batch), tokens=tokens, padded_tokens=cost, seconds=seconds)
        for item, result in zip(batch, results, strict=True):
            if isinstance(result, Exception):
                item.job.settle(item.index, self._failure("compute", result))
                continue
            probabilities, logits = result
            answer = Answer(probabilities, item.encoded, logits)
            if item.job.digests:
                self._cache.keep(item.job.digests[item.index], answer)
            item.job.settle(item.index, answer)

    def _failure(self, stage: str, error: Exception) -> ComputeError:
        # Text reaches the tokeniser, whose message might quote it; the device sees only numbers.
        logger.error("a text failed alone", extra={"stage": stage, "cause": type(error).__name__}, exc_info=error)
        return ComputeError()

    def _fail(self, error: Exception) -> None:
        """Fails everything under way: the device thread died, or is given up."""
        self._in_hand = []
        if self.thread.given_up:
            self._queue.close()
        for job in list(self._jobs):
            job.fail(error)


def _first_tokens(encoded: Encoded, max_tokens: int | None) -> Encoded:
    if max_tokens is None or encoded.num_tokens <= max_tokens:
        return encoded
    return Encoded(encoded.ids[:max_tokens], truncated=True)
