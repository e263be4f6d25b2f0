"""Batching of the texts of many requests into few calls of the device; knows no HTTP.

    permit -> tokenise -> queue -> next batch -> device (one thread) -> answers

The event loop hands over and receives; long texts and many are tokenised in a pool of threads, a short one where it
arrives, since handing it over costs more, and on a CPU where nothing waits it is computed there too. Nothing waits for
company: a batch is what is there when the device frees up.
The device thread is supervised: if it dies, those in its hands get an answer and another thread takes over.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import numpy as np

from app.batching.admission import Admission, Permit
from app.batching.bisect import by_halves
from app.batching.cache import ResultCache
from app.batching.policy import policy_for
from app.batching.queue import BatchQueue
from app.batching.supervised import SupervisedThread
from app.config.sections import BatchLimits
from app.core.classifier import Classifier, Logits, Probabilities
from app.core.errors import ComputeError, NotReady, Overloaded
from app.core.job import Answer, Item, Job
from app.core.timers import Timers
from app.telemetry.models import OVERLOAD, ModelMetrics
from model.text import Encoded

logger = logging.getLogger(__name__)

TOKENISE_CHUNK = 64
"""Texts that one tokeniser thread takes at a time, so that a long request uses several and starts computing early."""

INLINE_CHARS = 512
"""Characters of a request up to which it is tokenised on the event loop: 20 µs of English, 300 of Chinese or emoji.
Handing over to a thread costs 100 to 500 µs, and more the busier the interpreter is."""

DRAIN_POLL_S = 0.05


class _Part(NamedTuple):
    """Texts of a job that are tokenised together.

    Attributes:
        estimate: of their tokens.
    """

    job: Job
    indexes: Sequence[int]
    permit: Permit
    estimate: int


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
        self._deadlines = Timers()
        self._holders = 0
        self._arrived: list[_Part] = []
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
        self._metrics.count()

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
        job = Job(texts, timeout_s, self._loop, digests, max_tokens)
        self._jobs.add(job)
        self._deadlines.start(job, timeout_s, job.expire, self._loop)
        job.done.add_done_callback(lambda _: self._finish(job, permit))
        if self.mirror is not None:
            self.mirror(job, texts)
        for index, answer in known:
            job.encoded[index] = answer.encoded
            job.settle(index, answer)
        if len(missing) <= TOKENISE_CHUNK and sum(len(texts[index]) for index in missing) <= INLINE_CHARS:
            if missing:
                self._arrived.append(_Part(job, missing, permit, sum(estimates)))
                if not self._handing_over:
                    self._handing_over = True
                    self._loop.call_soon(self._hand_over)
            return job
        for start in range(0, len(missing), TOKENISE_CHUNK):
            end = start + TOKENISE_CHUNK
            part = _Part(job, missing[start:end], permit, sum(estimates[start:end]))
            self._tokenisers.submit(self._tokenise, part)
        return job

    def has_room(self, texts: Sequence[str], timeout_s: float, share: float) -> bool:
        """Tells if `submit` would find room in a queue of that share of its size."""
        return self.admission.has_room(len(texts), sum(self._estimates(texts)), timeout_s, share)

    def _estimates(self, texts: Sequence[str]) -> list[int]:
        # A token is at least a byte and mostly several characters: characters are a fair bound until they are counted.
        return [min(len(text), self._classifier.max_tokens) for text in texts]

    def _finish(self, job: Job, permit: Permit) -> None:
        self._deadlines.cancel(job, job.timeout_s)
        permit.release()
        self._jobs.discard(job)
        self._metrics.observe_job(job)

    def _hand_over(self) -> None:
        """Tokenises the texts of this turn of the event loop at once, and queues them, or computes them here.

        One by one they would cost several times as much, and so would waking a thread for a few.
        """
        parts, self._arrived, self._handing_over = self._arrived, [], False
        items = self._encode(parts)
        if not self._compute_here(items):
            self._enqueue(items)

    def _compute_here(self, batch: list[Item]) -> bool:
        """Computes a small batch on the event loop, unless others wait or compute; True if it was small enough."""
        if not (batch and self._is_small(batch) and self._queue.empty) or self._in_hand or self.state != "running":
            return False
        if not self._device.acquire(blocking=False):
            return False
        try:
            started = _stamp(batch)
            results = by_halves(self._score, batch)
        except BaseException:  # the thread has somebody who sees to it
            return False
        finally:
            self._device.release()
        self._deliver(batch, results, time.monotonic() - started)
        return True

    def _is_small(self, batch: Sequence[Item]) -> bool:
        return len(batch) <= self._policy.max_texts and _tokens_of(batch) <= self._policy.inline_tokens

    # On a tokeniser thread, or on the event loop.

    def _tokenise(self, part: "_Part") -> None:
        self._enqueue(self._encode([part]))

    def _enqueue(self, items: list[Item]) -> None:
        if items:
            self._queue.put(items)
            self._queue.cut_ahead()

    def _encode(self, parts: "Sequence[_Part]") -> list[Item]:
        """Tokenises the texts that somebody waits for."""
        parts = [part for part in parts if part.job.alive]
        started = time.monotonic()
        texts: list[str] = []
        for job, indexes, *_ in parts:
            if job.started_at == job.admitted_at:
                job.started_at = started
            texts += [job.take(index) for index in indexes]
        results = iter(by_halves(self._encode_texts, texts))
        encoded_at = time.monotonic()
        items: list[Item] = []
        for job, indexes, permit, estimate in parts:
            before = len(items)
            for index, result in zip(indexes, results, strict=False):
                if isinstance(result, Exception):
                    self.thread.post(job.settle, index, self._failure("tokenise", result))
                else:
                    job.encoded[index] = encoded = _first_tokens(result, job.max_tokens)
                    items.append(Item(job, index, encoded))
            job.encoded_at = encoded_at
            permit.replace_tokens(estimate, _tokens_of(items[before:]))
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
        started = self._in_hand_since = _stamp(batch)
        self._in_hand = batch
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


def _tokens_of(items: Sequence[Item]) -> int:
    return sum([item.num_tokens for item in items])


def _stamp(batch: Sequence[Item]) -> float:
    """Notes that the device takes these texts now, and returns the time."""
    now = time.monotonic()
    for item in batch:
        item.job.taken_at = now
    return now


def _first_tokens(encoded: Encoded, max_tokens: int | None) -> Encoded:
    if max_tokens is None or encoded.num_tokens <= max_tokens:
        return encoded
    return Encoded(encoded.ids[:max_tokens], truncated=True)
