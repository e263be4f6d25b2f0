"""A core in simulated time: pauses of the machine, and turns of two processes that share it."""

import math
import random

import simpy
from pydantic import BaseModel, ConfigDict
from simpy.events import Event, ProcessGenerator

DONE_S = 1e-9
"""Work that is left below this is done."""


class Frozen(BaseModel):
    """A record that is written as JSON and read again."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(Frozen):
    """Times of a core without the server, as they were measured; empty where they were not.

    Attributes:
        pauses_per_s, pauses: how often a process that computes all the time stands still for 1 ms or more, and how
            long.
        naps: lengths of sleeps of 0.1 ms on an idle core.
        waits: times for which a process that wakes from a nap waits for the core on which another one computes.
        slices: times for which one of two processes that both compute has the core.
    """

    pauses_per_s: float = 0.0
    pauses: list[float] = []
    naps: list[float] = []
    waits: list[float] = []
    slices: list[float] = []


class Core:
    """A core that one process has for itself, or that two share.

    Who wakes from a nap while the other computes waits as long as such a process was seen to wait. Whoever else finds
    the other computing, because a request woke it or because it was interrupted, gets the core when the other one
    sleeps, or after a slice. A pause delays whoever computes then.

    Args:
        env: simulated time.
        machine: pauses, waits and slices.
        rng: of the draws.
    """

    def __init__(self, env: simpy.Environment, machine: Machine, rng: random.Random) -> None:
        self._env, self._machine, self._rng = env, machine, rng
        self._pause_at, self._pause_s = math.inf, 0.0
        self._draw_pause()
        self._shared = False
        self._interrupt: Event | None = None
        self._freed = env.event()
        self._idle_since = 0.0

    @property
    def idle_s(self) -> float:
        """Time since somebody computed; 0 while somebody does."""
        return 0.0 if self._interrupt is not None else self._env.now - self._idle_since

    def share(self) -> "Core":
        """This core, from now on for two processes."""
        self._shared = True
        return self

    def run(self, seconds: float, until: Event | None = None, *, napped: bool = False) -> ProcessGenerator:
        """Computes for so many seconds, or until the event; returns the seconds that are left."""
        waits = self._machine.waits if napped else self._machine.slices
        while seconds > DONE_S and not (until is not None and until.triggered):
            if self._shared:
                yield from self._take(waits)
            began, lost = self._env.now, self._lost_s(seconds)
            interrupt, end = self._interrupt, self._env.timeout(seconds + lost)
            others = [event for event in (interrupt, until) if event is not None]
            yield self._env.any_of([end, *others]) if others else end
            seconds -= min(seconds, max(0.0, self._env.now - began - lost))
            self._idle_since = self._env.now
            if self._interrupt is interrupt and interrupt is not None:
                self._interrupt = None
                freed, self._freed = self._freed, self._env.event()
                freed.succeed()
            waits = self._machine.slices
        return seconds

    def _take(self, waits: list[float]) -> ProcessGenerator:
        """Waits for the core, or takes it from the other process when the wait is over."""
        while (other := self._interrupt) is not None:
            over = [self._env.timeout(self._rng.choice(waits))] if waits else []
            yield self._env.any_of([self._freed, *over])
            if self._interrupt is other and not self._freed.triggered:
                self._interrupt = None
                other.succeed()
        self._interrupt = self._env.event()

    def _lost_s(self, seconds: float) -> float:
        """Time that pauses take from work of so many seconds that begins now."""
        now, lost = self._env.now, 0.0
        while self._pause_at < now + lost + seconds:
            end = self._pause_at + self._pause_s
            lost += max(0.0, end - max(now + lost, self._pause_at))
            self._draw_pause(end)
        return lost

    def _draw_pause(self, after: float = 0.0) -> None:
        if self._machine.pauses and self._machine.pauses_per_s:
            self._pause_at = after + self._rng.expovariate(self._machine.pauses_per_s)
            self._pause_s = self._rng.choice(self._machine.pauses)
