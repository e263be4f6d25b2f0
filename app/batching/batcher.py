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
from itertools import repeat

from app.batching.admission import Admission, Permit
from app.batching.cache import ResultCache
from app.batching.policy import policy_for
from app.batching.queue import BatchQueue
from app.batching.scoring import Runs, by_piece, score, stamp, tokens_of
from app.batching.supervised import SupervisedThread
from app.batching.tokenising import Part, tokenise
from app.config.sections import BatchLimits
from app.core.classifier import Scorer
from app.core.errors import ComputeError, NotReady, Overloaded
from app.core.job import Answer, Job, Piece, Scores
from app.core.timers import Timers
from app.telemetry.models import OVERLOAD, ModelMetrics

logger = logging.getLogger(__name__)

TOKENISE_CHUNK = 64
"""Texts that one tokeniser thread takes at a time, so that a long request uses several and starts computing early."""

INLINE_CHARS = 512
"""Characters of a request up to which it is tokenised on the event loop: 20 µs of English, 300 of Chinese or emoji.
Handing over to a thread costs 100 to 500 µs, and more the busier the interpreter is."""

INLINE_ASCII_CHARS = 8192
"""The same for a request of nothing but ASCII, which the C++ tokeniser never leaves to the slower pipeline: 0.1 to 0.2
ms. Where it is not built, 0.3 ms of English and 1.4 ms of letters at random."""

INLINE_TURN_CHARS = 32_768
"""Characters that are tokenised in one turn of the event loop; requests that come after them go to the threads."""

DRAIN_POLL_S = 0.05


class Batcher:
    """Queue, tokenisers and device thread of one scorer.

    Args:
        scorer: a classifier, or vectors as scores; its `logits` is called by one thread only.
        limits: of a batch and of the queue.
        metrics: told of every batch and every request.
        tokenisers: threads for `encode`; may be shared with other batchers.
        cache: of its answers; none if absent.
        device: held while computing, so that scorers which share a device take turns.

    Attributes:
        admission: texts and tokens under way.
        thread: computes on the device.
        mirror: told of each job that is taken and of its texts, if there is one.
    """

    def __init__(
        self,
        scorer: Scorer,
        limits: BatchLimits,
        metrics: ModelMetrics,
        *,
        tokenisers: Executor,
        device: threading.Lock,
        cache: ResultCache | None = None,
    ) -> None:
        self.admission = Admission(max_texts=limits.max_queue_texts, max_tokens=limits.max_queue_tokens)
        self.mirror: Callable[[Job, Sequence[str]], None] | None = None
        self._scorer = scorer
        self._limits = limits
        self._metrics = metrics
        self._cache = ResultCache(0) if cache is None else cache
        self._tokenisers = tokenisers
        self._device = device
        self._policy = policy_for(scorer, limits)
        self._queue = BatchQueue(self._policy)
        self._jobs: set[Job] = set()
        self._deadlines = Timers()
        self._holders = 0
        self._arrived: list[Part] = []
        self._arrived_chars = 0
        self._handing_over = False
        self._in_hand: list[Piece] = []
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

    def submit(
        self,
        texts: Sequence[str],
        timeout_s: float,
        max_tokens: int | None = None,
        repeats: Sequence[int] | None = None,
    ) -> Job:
        """Takes texts as a job; await its `done`, and cancel that when the answer is no longer wanted.

        Args:
            texts: each is answered by itself.
            timeout_s: to the answer.
            max_tokens: reads no more of a text; such answers are not remembered.
            repeats: how often the request has each text, for what is counted; None if each once.

        Raises:
            Overloaded: there is no room for all of the texts.
            NotReady: the device thread is given up, stopped or stuck.
        """
        if self.state not in ("running", "restarting"):
            raise NotReady(f"The model is {self.state}.", retry_after_s=5)
        digests = self._cache.digests(texts) if max_tokens is None else []
        missing: Sequence[int] = range(len(texts))
        known: Sequence[tuple[int, Answer]] = ()
        if digests:
            missing, known = self._cache.recall(digests)
        lengths = list(map(len, [texts[index] for index in missing] if known else texts))
        estimate = self._estimate(lengths)
        permit = self._admit(len(missing), estimate, timeout_s, texts, repeats)
        self._metrics.cache_hits.inc(len(known))
        self._metrics.cache_misses.inc(len(missing))
        job = Job(texts, timeout_s, self._loop, digests, max_tokens, repeats)
        self._jobs.add(job)
        self._deadlines.start(job, timeout_s, job.expire, self._loop)
        job.done.add_done_callback(lambda _: self._finish(job, permit))
        if self.mirror is not None:
            self.mirror(job, texts)
        for index, (probabilities, encoded, logits) in known:
            job.encoded[index] = encoded
            job.settle([index], Scores(probabilities[None], logits[None]))
        if not missing:
            return job
        if len(missing) <= TOKENISE_CHUNK and self._is_inline(texts, sum(lengths)):
            self._arrived.append(Part(job, missing, permit, estimate))
            if not self._handing_over:
                self._handing_over = True
                self._loop.call_soon(self._hand_over)
            return job
        self._tokenise_elsewhere(job, missing, permit, lengths)
        return job

    def _admit(
        self, num_missing: int, estimate: int, timeout_s: float, texts: Sequence[str], repeats: Sequence[int] | None
    ) -> Permit:
        try:
            return self.admission.admit(num_missing, estimate, timeout_s)
        except Overloaded:
            self._metrics.dropped[OVERLOAD].inc(len(texts) if repeats is None else sum(repeats))
            raise

    def _tokenise_elsewhere(self, job: Job, missing: Sequence[int], permit: Permit, lengths: Sequence[int]) -> None:
        for start in range(0, len(missing), TOKENISE_CHUNK):
            end = start + TOKENISE_CHUNK
            part = Part(job, missing[start:end], permit, self._estimate(lengths[start:end]))
            self._tokenisers.submit(self._tokenise, part)

    def _is_inline(self, texts: Sequence[str], num_chars: int) -> bool:
        """Tells if texts are to be tokenised on the event loop, and counts their characters if so."""
        room = INLINE_TURN_CHARS - self._arrived_chars
        if num_chars > INLINE_CHARS and (num_chars > min(INLINE_ASCII_CHARS, room) or not all(map(str.isascii, texts))):
            return False
        self._arrived_chars += num_chars
        return True

    def has_room(self, texts: Sequence[str], timeout_s: float, share: float) -> bool:
        """Tells if `submit` would find room in a queue of that share of its size."""
        return self.admission.has_room(len(texts), self._estimate(list(map(len, texts))), timeout_s, share)

    def _estimate(self, lengths: Sequence[int]) -> int:
        """Tokens of texts of so many characters.

        A token is at least a byte and mostly several characters, which are a fair bound until tokens are counted.
        """
        most = self._scorer.max_tokens
        if max(lengths, default=0) <= most:
            return sum(lengths)
        return sum(map(min, lengths, repeat(most)))

    def _finish(self, job: Job, permit: Permit) -> None:
        self._deadlines.cancel(job, job.timeout_s)
        permit.release()
        self._jobs.discard(job)
        self._metrics.observe_job(job)

    def _hand_over(self) -> None:
        """Tokenises the texts of this turn of the event loop at once, and queues them, or computes them here.

        One by one they would cost several times as much, and so would waking a thread for a few.
        """
        parts, self._arrived, self._arrived_chars, self._handing_over = self._arrived, [], 0, False
        pieces = tokenise(self._scorer, parts, self._unreadable)
        if not self._compute_here(pieces):
            self._enqueue(pieces)

    def _compute_here(self, batch: list[Piece]) -> bool:
        """Computes a small batch on the event loop, unless others wait or compute; True if it was small enough."""
        if not (batch and self._is_small(batch) and self._queue.empty) or self._in_hand or self.state != "running":
            return False
        if not self._device.acquire(blocking=False):
            return False
        try:
            started = stamp(batch)
            runs = score(self._scorer, batch)
        except BaseException:  # the thread has somebody who sees to it
            return False
        finally:
            self._device.release()
        self._deliver(batch, runs, time.monotonic() - started)
        return True

    def _is_small(self, batch: Sequence[Piece]) -> bool:
        return sum(map(len, batch)) <= self._policy.max_texts and tokens_of(batch) <= self._policy.inline_tokens

    # On a tokeniser thread, or on the event loop.

    def _tokenise(self, part: Part) -> None:
        self._enqueue(tokenise(self._scorer, [part], self._unreadable))

    def _enqueue(self, pieces: list[Piece]) -> None:
        if pieces:
            self._queue.put(pieces)
            self._queue.cut_ahead()

    # On the device thread.

    def _run(self) -> None:
        while batch := self._queue.take():
            self._compute(batch)

    def _compute(self, batch: list[Piece]) -> None:
        started = self._in_hand_since = stamp(batch)
        self._in_hand = batch
        if self._queue.full:
            self._tokenisers.submit(self._queue.cut_ahead)
        with self._device:
            runs = score(self._scorer, batch)
        self._in_hand = []
        self.thread.post(self._deliver, batch, runs, time.monotonic() - started)

    # On the event loop.

    def _deliver(self, batch: list[Piece], runs: Runs, seconds: float) -> None:
        self.thread.note_success()
        lengths = [len(of_text.ids) for piece in batch for of_text in piece.encoded]
        tokens, cost = sum(lengths), self._policy.cost(lengths)
        self.admission.computed(tokens, seconds)
        self._metrics.observe_batch(texts=len(lengths), tokens=tokens, padded_tokens=cost, seconds=seconds)
        for piece, found in by_piece(batch, runs):
            if isinstance(found, Exception):
                piece.job.settle_error(piece.indexes[0], self._failure("compute", found))
            else:
                self._settle(piece, found)

    def _settle(self, piece: Piece, scores: Scores) -> None:
        digests = piece.job.digests
        if digests:
            for index, *answer in zip(piece.indexes, scores.probabilities, piece.encoded, scores.logits, strict=True):
                self._cache.keep(digests[index], Answer(*answer))
        piece.job.settle(piece.indexes, scores)

    def _unreadable(self, job: Job, index: int, error: Exception) -> None:
        self.thread.post(job.settle_error, index, self._failure("tokenise", error))

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
