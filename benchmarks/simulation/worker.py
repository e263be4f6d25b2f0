"""A worker of the server in simulated time: bounds, permits, batches, event loop and device thread.

Bound of requests, permits and batch policy are the server's own classes, told the simulated time. A request takes three
turns of the event loop: it is read, its texts are computed or handed over to the device thread, it is answered. What a
turn does for one request it does for all that are as far, so with many under way each turn has some of every kind.
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
from benchmarks.simulation.core import DONE_S, Core, Machine

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

    @property
    def machine(self) -> Machine:
        """Pauses and waits of a core."""

    def batch_s(self, texts: int, handed_over: bool, rng: random.Random) -> float:
        """Time of one batch, on the event loop or handed over to the device thread."""

    def reading_s(self, requests: int) -> float:
        """Time to read requests and to admit them."""

    def answering_s(self, requests: int) -> float:
        """Time to answer requests."""

    def waking_s(self, texts: int, idle_s: float, rng: random.Random) -> float:
        """Time that the first request of so many texts takes longer after so long an idle time."""

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
    """One process, whose event loop and device thread share a core; the loop goes first.

    Args:
        env: simulated time.
        times: service times.
        rng: of its own draws.
        bounds: of requests, permits and batches.
        core: that it runs on; None for one of its own.
        speed: share of the core that it has, 0 to 1.

    Attributes:
        under_way: requests sent to it and not ended.
        busy_s: time spent in turns and batches.
        alive: False once it was stopped.
    """

    def __init__(
        self,
        env: simpy.Environment,
        times: Times,
        rng: random.Random,
        bounds: Bounds | None = None,
        *,
        core: Core | None = None,
        speed: float = 1.0,
    ) -> None:
        self.under_way = 0
        self.busy_s = 0.0
        self.alive = True
        self._env, self._times, self._rng, self._speed = env, times, rng, speed
        self._core = core or Core(env, times.machine, rng)
        self._bounds = bounds or Bounds()
        self._limit = ConcurrencyLimit(self._bounds.max_requests)
        self._admission = Admission(max_texts=self._bounds.max_texts, max_tokens=self._bounds.max_tokens)
        self._refusal = Refusal(b"", b"", Counter())
        self._unread: list[Request] = []
        self._read: list[Request] = []
        self._computed: list[Request] = []
        self._in_turn: list[Request] = []
        self._waiting: deque[Request] = deque()
        self._in_hand: dict[Request, int] = {}
        self._in_hand_s = self._in_hand_left_s = 0.0
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
        of_loop = (*self._unread, *self._read, *self._in_turn, *self._computed)
        lost = dict.fromkeys([*of_loop, *self._waiting, *self._in_hand])
        self._unread, self._read, self._in_turn, self._computed, self._in_hand = [], [], [], [], {}
        self._waiting.clear()
        for request in lost:
            self._leave(request, Status.LOST)

    def _run(self) -> ProcessGenerator:
        while self.alive:
            if self._unread or self._read or self._computed:
                yield from self._turn()
                continue
            self._wake = self._env.event()
            if self._in_hand:
                yield from self._compute()
            else:
                yield self._wake

    def _turn(self) -> ProcessGenerator:
        """One turn of the event loop: reads what has come, computes what was read before, answers what is computed."""
        answered, self._computed = self._computed, []
        handed, self._read = self._read, []
        admitted, refused = self._admit()
        seconds = sum(self._times.refusal_s(request.texts) for request in refused)
        seconds += self._times.reading_s(len(admitted)) + self._times.answering_s(len(answered))
        if admitted and not (answered or handed or self._in_hand):
            seconds += self._times.waking_s(admitted[0].texts, self._core.idle_s, self._rng)
        inline, batch_s = self._is_inline(handed), 0.0
        texts = sum(request.texts for request in handed)
        if inline:
            batch_s = self._times.batch_s(texts, False, self._rng)
        elif handed:
            self._waiting.extend(handed)
            if not self._in_hand:
                self._take_in_hand()
        seconds = max(0.0, seconds + batch_s) / self._speed
        self.busy_s += seconds
        self._in_turn = [*refused, *admitted, *handed, *answered]
        yield from self._core.run(seconds)
        if not self.alive:
            return
        self._in_turn = []
        for request in refused:
            self.under_way -= 1
            request.end(Status.REFUSED)
        for request in answered:
            self._leave(request, Status.ANSWERED)
        self._read = admitted
        if inline:
            self._admission.computed(self._times.tokens(texts), batch_s)
            self._computed += handed

    def _is_inline(self, requests: list[Request]) -> bool:
        """Tells if the event loop computes these requests itself, as `Batcher` decides it."""
        texts, policy = sum(request.texts for request in requests), self._bounds.policy
        small = texts <= policy.max_texts and self._times.tokens(texts) <= policy.inline_tokens
        return bool(requests) and small and not (self._waiting or self._in_hand)

    def _compute(self) -> ProcessGenerator:
        """Lets the device thread compute until its batch is done or a request comes."""
        before = self._in_hand_left_s
        self._in_hand_left_s = yield from self._core.run(before, self._wake)
        self.busy_s += before - self._in_hand_left_s
        if self._in_hand and self._in_hand_left_s <= DONE_S:
            self._admission.computed(self._times.tokens(sum(self._in_hand.values())), self._in_hand_s)
            for request, taken in self._in_hand.items():
                request.rest -= taken
                if not request.rest:
                    self._computed.append(request)
            self._take_in_hand()

    def _take_in_hand(self) -> None:
        """Gives the device thread the next batch, if any text waits."""
        self._in_hand = self._cut()
        if self._in_hand:
            seconds = self._times.batch_s(sum(self._in_hand.values()), True, self._rng) / self._speed
            self._in_hand_s = self._in_hand_left_s = seconds

    def _admit(self) -> tuple[list[Request], list[Request]]:
        """Takes what has arrived; returns the admitted, and those refused or for whom nobody waits any more."""
        unread, self._unread = self._unread, []
        admitted, refused = [], []
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
                    admitted.append(request)
            else:
                if request.status is None:
                    self._limit.count(self._refusal, self._env.now)
                refused.append(request)
        return admitted, refused

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

    def _leave(self, request: Request, status: Status) -> None:
        self.under_way -= 1
        if request.permit is not None:
            request.permit.release()
            self._limit.leave()
        request.end(status)
