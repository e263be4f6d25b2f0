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
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import numpy as np

from app.batching.admission import Admission, Permit
from app.batching.bisect import by_halves
from app.batching.cache import ResultCache
from app.batching.policy import policy_for
from app.batching.queue import BatchQueue
from app.batching.supervised import SupervisedThread
from app.config.sections import BatchLimits
from app.core.classifier import Classifier
from app.core.errors import ComputeError, NotReady, Overloaded
from app.core.job import Answer, Job, Piece, Scores
from app.core.timers import Timers
from app.telemetry.models import OVERLOAD, ModelMetrics
from model.text import Encoded

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


class _Part(NamedTuple):
    """Texts of a job that are tokenised together.

    Attributes:
        estimate: of their tokens.
    """

    job: Job
    indexes: Sequence[int]
    permit: Permit
    estimate: int


Runs: TypeAlias = list[tuple[int, Scores | Exception]]
"""Of the texts of a batch, one after another: how many they are, and their scores or the exception of one text."""

_num_scored = attrgetter("num_texts")


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
        missing: Sequence[int] = range(len(texts))
        known: Sequence[tuple[int, Answer]] = ()
        if digests:
            missing, known = self._cache.recall(digests)
        self._metrics.cache_hits.inc(len(known))
        self._metrics.cache_misses.inc(len(missing))
        lengths = list(map(len, [texts[index] for index in missing] if known else texts))
        estimate = self._estimate(lengths)
        try:
            permit = self.admission.admit(len(missing), estimate, timeout_s)
        except Overloaded:
            self._metrics.dropped[OVERLOAD].inc(len(texts))
            raise
        job = Job(texts, timeout_s, self._loop, digests, max_tokens)
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
            self._arrived.append(_Part(job, missing, permit, estimate))
            if not self._handing_over:
                self._handing_over = True
                self._loop.call_soon(self._hand_over)
            return job
        for start in range(0, len(missing), TOKENISE_CHUNK):
            end = start + TOKENISE_CHUNK
            part = _Part(job, missing[start:end], permit, self._estimate(lengths[start:end]))
            self._tokenisers.submit(self._tokenise, part)
        return job

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
        most = self._classifier.max_tokens
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
        pieces = self._encode(parts)
        if not self._compute_here(pieces):
            self._enqueue(pieces)

    def _compute_here(self, batch: list[Piece]) -> bool:
        """Computes a small batch on the event loop, unless others wait or compute; True if it was small enough."""
        if not (batch and self._is_small(batch) and self._queue.empty) or self._in_hand or self.state != "running":
            return False
        if not self._device.acquire(blocking=False):
            return False
        try:
            started = _stamp(batch)
            runs = self._score(batch)
        except BaseException:  # the thread has somebody who sees to it
            return False
        finally:
            self._device.release()
        self._deliver(batch, runs, time.monotonic() - started)
        return True

    def _is_small(self, batch: Sequence[Piece]) -> bool:
        return sum(map(len, batch)) <= self._policy.max_texts and _tokens_of(batch) <= self._policy.inline_tokens

    # On a tokeniser thread, or on the event loop.

    def _tokenise(self, part: "_Part") -> None:
        self._enqueue(self._encode([part]))

    def _enqueue(self, pieces: list[Piece]) -> None:
        if pieces:
            self._queue.put(pieces)
            self._queue.cut_ahead()

    def _encode(self, parts: "Sequence[_Part]") -> list[Piece]:
        """Tokenises the texts that somebody waits for."""
        parts = [part for part in parts if part.job.alive]
        started = time.monotonic()
        texts: list[str] = []
        for job, indexes, *_ in parts:
            if job.started_at == job.admitted_at:
                job.started_at = started
            texts += job.take(indexes)
        runs = by_halves(self._encode_texts, texts, len)
        results: list[Encoded | Exception] = []
        for _, found in runs:
            results += [found] if isinstance(found, Exception) else found
        encoded_at = time.monotonic()
        pieces: list[Piece] = []
        begin = 0
        for part in parts:
            end = begin + len(part.indexes)
            piece = self._piece(part, results[begin:end], all_read=len(runs) == 1)
            begin, part.job.encoded_at = end, encoded_at
            part.permit.replace_tokens(part.estimate, piece.num_tokens)
            if piece.indexes:
                pieces.append(piece)
        return pieces

    def _piece(self, part: _Part, results: list[Encoded | Exception], *, all_read: bool) -> Piece:
        """The texts of a part that were read; the others get their error."""
        job, indexes, *_ = part
        encoded: list[Encoded] = results  # type: ignore[assignment]  # where all were read
        if not all_read or isinstance(results[0], Exception):
            for index, found in zip(indexes, results, strict=True):
                if isinstance(found, Exception):
                    self.thread.post(job.settle_error, index, self._failure("tokenise", found))
            read = [(index, found) for index, found in zip(indexes, results, strict=True) if isinstance(found, Encoded)]
            indexes, encoded = [index for index, _ in read], [found for _, found in read]
        if job.max_tokens is not None:
            encoded = [_first_tokens(of_text, job.max_tokens) for of_text in encoded]
        job.note_tokens(indexes, encoded)
        return Piece.of(job, indexes, encoded)

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

    def _compute(self, batch: list[Piece]) -> None:
        started = self._in_hand_since = _stamp(batch)
        self._in_hand = batch
        if self._queue.full:
            self._tokenisers.submit(self._queue.cut_ahead)
        with self._device:
            runs = self._score(batch)
        self._in_hand = []
        self.thread.post(self._deliver, batch, runs, time.monotonic() - started)

    def _score(self, batch: Sequence[Piece]) -> Runs:
        texts = batch[0].encoded if len(batch) == 1 else [text for piece in batch for text in piece.encoded]
        return by_halves(self._score_texts, texts, _num_scored)

    def _score_texts(self, texts: Sequence[Encoded]) -> Scores:
        logits = self._classifier.logits(texts)
        if not np.isfinite(logits).all():
            raise ArithmeticError("a logit is not a number")
        return Scores(self._classifier.probabilities(logits), logits)

    # On the event loop.

    def _deliver(self, batch: list[Piece], runs: Runs, seconds: float) -> None:
        self.thread.note_success()
        lengths = [len(of_text.ids) for piece in batch for of_text in piece.encoded]
        tokens, cost = sum(lengths), self._policy.cost(lengths)
        self.admission.computed(tokens, seconds)
        self._metrics.observe_batch(texts=len(lengths), tokens=tokens, padded_tokens=cost, seconds=seconds)
        for piece, found in _by_piece(batch, runs):
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


def _tokens_of(pieces: Sequence[Piece]) -> int:
    return sum([piece.num_tokens for piece in pieces])


def _stamp(batch: Sequence[Piece]) -> float:
    """Notes that the device takes these texts now, and returns the time."""
    now = time.monotonic()
    for piece in batch:
        piece.job.taken_at = now
    return now


def _by_piece(batch: Sequence[Piece], runs: Runs) -> Iterator[tuple[Piece, Scores | Exception]]:
    """Pairs each piece with its scores; where a text failed, each text by itself."""
    if len(runs) == 1 and not isinstance(scores := runs[0][1], Exception):
        begin = 0
        for piece in batch:
            end = begin + len(piece)
            yield piece, scores.part(begin, end)
            begin = end
        return
    texts = (piece.only([place]) for piece in batch for place in range(len(piece)))
    for num_texts, found in runs:
        for place in range(num_texts):
            yield next(texts), found if isinstance(found, Exception) else found.part(place, place + 1)


def _first_tokens(encoded: Encoded, max_tokens: int | None) -> Encoded:
    if max_tokens is None or encoded.num_tokens <= max_tokens:
        return encoded
    return Encoded(encoded.ids[:max_tokens], truncated=True)
