"""A worker of the server in simulated time: bounds, permits, batches and turns.

Bound of requests, permits and batch policy are the server's own classes, told the simulated time.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import simpy
from simpy.events import ProcessGenerator

from app.batching.admission import Admission, Permit
from app.batching.policy import CPU_TEXTS, INLINE_TOKENS, PACKED_TOKENS, Packed
from app.config.sections import BatchLimits
from app.core.errors import Overloaded
from app.process.concurrency import ConcurrencyLimit, Refusal
from app.telemetry.counters import Counter

POLICY = Packed(CPU_TEXTS, PACKED_TOKENS["cpu"], INLINE_TOKENS)
LIMITS = BatchLimits()
MAX_CONCURRENT_REQUESTS = 128
DEADLINE_S = 10.0


class Status(Enum):
    """Ends of a request: answered, refused with 503, past its deadline, connection broken, given up by the client."""

    ANSWERED = "answered"
    REFUSED = "refused"
    LATE = "late"
    LOST = "lost"
    ABANDONED = "abandoned"


class Times(Protocol):
    """Service times, measured or made up."""

    @property
    def delay_s(self) -> float:
        """Time on the way to an idle worker and back."""

    def draw_s(self, requests: int, texts: int, rng: random.Random) -> float:
        """Time of one turn."""

    def refusal_s(self, texts: int) -> float:
        """Time of one refusal."""

    def tokens(self, texts: int) -> int:
        """Tokens of so many texts."""


@dataclass(eq=False, slots=True)
class Request:
    """One try of a client.

    Attributes:
        texts: at least 1.
        ended: told the status, once.
        sent: simulated time at which it left.
        rest: texts that are not computed yet.
        status: None while it is under way.
    """

    texts: int
    ended: Callable[["Request"], None]
    sent: float
    rest: int = 0
    permit: Permit | None = None
    status: Status | None = None

    def end(self, status: Status) -> None:
        """Sets the status and tells who waits; without effect if it has ended."""
        if self.status is None:
            self.status = status
            self.ended(self)


@dataclass
class Bounds:
    """Bounds of one worker; those of `python -m app serve` without options."""

    policy: Packed = POLICY
    max_texts: int = LIMITS.max_queue_texts
    max_tokens: int = LIMITS.max_queue_tokens
    max_requests: int = MAX_CONCURRENT_REQUESTS
    deadline_s: float = DEADLINE_S


class Worker:
    """One process on one core, whose event loop and engine take turns on it.

    Args:
        env: simulated time.
        times: service times.
        rng: of its own draws.
        bounds: of requests, permits and batches.
        speed: share of the core that it has, 0 to 1.

    Attributes:
        under_way: requests sent to it and not ended.
        busy_s: time spent in turns.
        alive: False once it was stopped.
    """

    def __init__(
        self, env: simpy.Environment, times: Times, rng: random.Random, bounds: Bounds | None = None, speed: float = 1.0
    ) -> None:
        self.under_way = 0
        self.busy_s = 0.0
        self.alive = True
        self._env, self._times, self._rng, self._speed = env, times, rng, speed
        self._bounds = bounds or Bounds()
        self._limit = ConcurrencyLimit(self._bounds.max_requests)
        self._admission = Admission(max_texts=self._bounds.max_texts, max_tokens=self._bounds.max_tokens)
        self._refusal = Refusal(b"", b"", Counter())
        self._unread: list[Request] = []
        self._waiting: deque[Request] = deque()
        self._computing: dict[Request, int] = {}
        self._wake = env.event()
        env.process(self._run())

    def take(self, request: Request) -> None:
        """Puts a request into the worker's sockets; a stopped worker loses it."""
        if not self.alive:
            request.end(Status.LOST)
            return
        self.under_way += 1
        self._unread.append(request)
        if not self._wake.triggered:
            self._wake.succeed()

    def stop(self) -> None:
        """Ends the worker at once; what is under way is lost."""
        self.alive = False
        lost = dict.fromkeys([*self._unread, *self._waiting, *self._computing])
        self._unread, self._computing = [], {}
        self._waiting.clear()
        for request in lost:
            self._leave(request, Status.LOST)

    def _run(self) -> ProcessGenerator:
        while self.alive:
            if not (self._unread or self._waiting):
                self._wake = self._env.event()
                yield self._wake
            refused = self._read()
            batch = self._cut()
            seconds = sum(self._times.refusal_s(request.texts) for request in refused)
            if batch:
                first = sum(request.rest == request.texts for request in batch)
                seconds += self._times.draw_s(first, sum(batch.values()), self._rng)
            self._computing = batch
            seconds /= self._speed
            self.busy_s += seconds
            yield self._env.timeout(seconds)
            if self.alive:
                self._answer(refused, batch, seconds)

    def _read(self) -> list[Request]:
        """Admits what has arrived; returns those that are refused, or for whom nobody waits any more."""
        unread, self._unread = self._unread, []
        refused = []
        for request in unread:
            if request.status is None and self._limit.admits(self._env.now):
                try:
                    tokens = self._times.tokens(request.texts)
                    request.permit = self._admission.admit(request.texts, tokens, self._bounds.deadline_s)
                except Overloaded:
                    refused.append(request)
                else:
                    self._limit.enter()
                    request.rest = request.texts
                    self._waiting.append(request)
            else:
                if request.status is None:
                    self._limit.count(self._refusal, self._env.now)
                refused.append(request)
        return refused

    def _cut(self) -> dict[Request, int]:
        """The next batch: the oldest texts within the bounds, as numbers of texts by request."""
        batch: dict[Request, int] = {}
        room, tokens = self._bounds.policy.max_texts, float(self._bounds.policy.max_tokens)
        while self._waiting and room > 0:
            request = self._waiting[0]
            if request.status is not None or self._env.now - request.sent > self._bounds.deadline_s:
                self._leave(self._waiting.popleft(), Status.LATE)
                continue
            each = self._times.tokens(request.texts) / request.texts
            taken = min(request.rest, room, int(tokens / each))
            if not taken and batch:
                break
            taken = max(taken, 1)
            batch[request] = taken
            room, tokens = room - taken, tokens - taken * each
            if taken < request.rest:
                break
            self._waiting.popleft()
        return batch

    def _answer(self, refused: list[Request], batch: dict[Request, int], seconds: float) -> None:
        self._computing = {}
        for request in refused:
            self.under_way -= 1
            request.end(Status.REFUSED)
        for request, taken in batch.items():
            request.rest -= taken
            if not request.rest:
                self._leave(request, Status.ANSWERED)
        if batch:
            self._admission.computed(self._times.tokens(sum(batch.values())), seconds)

    def _leave(self, request: Request, status: Status) -> None:
        self.under_way -= 1
        if request.permit is not None:
            request.permit.release()
            self._limit.leave()
        request.end(status)
