"""Clients in simulated time: an open loop with retries, and a closed loop."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import simpy
from simpy.events import ProcessGenerator

from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.worker import Request, Status, Worker

Send = Callable[[Request], None]


@dataclass(frozen=True)
class Retry:
    """Rule by which a client tries again after a request failed.

    Attributes:
        tries: at most, the first one included.
        first_s: wait before the second try.
        factor: of the wait from one try to the next; 1 for always the same.
        jitter: draws each wait evenly between 0 and that ("full jitter").
        timeout_s: after which a client gives a try up; None for never.
    """

    tries: int = 1
    first_s: float = 0.1
    factor: float = 2.0
    jitter: bool = True
    timeout_s: float | None = None

    def wait_s(self, failed: int, rng: random.Random) -> float:
        """Time to wait after so many failed tries, at least 1."""
        longest = self.first_s * self.factor ** (failed - 1)
        return rng.random() * longest if self.jitter else longest


class OpenClients:
    """Sends requests when they are due, whether or not earlier ones were answered, and tries again.

    Args:
        env: simulated time.
        send: takes a try.
        outcome: told of every try and of how each request ended, with the time since it was due.
        texts: of each request.
        retry: after a try that was not answered.
        delay_s: on the way to the server and back.
        rng: of the waits.
    """

    def __init__(
        self,
        env: simpy.Environment,
        send: Send,
        outcome: Outcome,
        *,
        texts: int,
        rng: random.Random,
        retry: Retry | None = None,
        delay_s: float = 0.0,
    ) -> None:
        self._env, self._send, self._outcome, self._texts, self._rng = env, send, outcome, texts, rng
        self._retry, self._delay_s = retry or Retry(), delay_s

    def run(self, arrivals: Iterator[float], until: float) -> None:
        """Sends a request at each arrival before `until`."""
        self._env.process(self._arrive(arrivals, until))

    def _arrive(self, arrivals: Iterator[float], until: float) -> ProcessGenerator:
        for due in arrivals:
            if due >= until:
                return
            yield self._env.timeout(due - self._env.now)
            self._try(due, 1)

    def _try(self, due: float, number: int) -> None:
        request = Request(self._texts, partial(self._ended, due, number), self._env.now)
        self._outcome.tries += 1
        if self._retry.timeout_s is not None:
            self._after(self._retry.timeout_s, lambda: request.end(Status.ABANDONED))
        self._send(request)

    def _ended(self, due: float, number: int, request: Request) -> None:
        status = request.status
        assert status is not None  # noqa: S101  # `end` has set it
        if status is Status.ANSWERED:
            self._outcome.add(due, status, self._env.now - due + self._delay_s)
        elif number < self._retry.tries:
            self._outcome.failed_tries += 1
            self._after(self._retry.wait_s(number, self._rng), lambda: self._try(due, number + 1))
        else:
            self._outcome.failed_tries += 1
            self._outcome.add(due, status, self._env.now - due)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        event = self._env.timeout(seconds)
        event.callbacks.append(lambda _: act())


OPENED_S = 1e-4
"""Time from one connection of a closed loop to the next: opened at once, they would ask at once for ever."""


class ClosedClients:
    """Connections that send the next request as soon as they have an answer; counts answers.

    Attributes:
        answered: since the start.
    """

    def __init__(self, env: simpy.Environment, workers: list[Worker], *, connections: int, texts: int) -> None:
        self.answered = 0
        self._env, self._texts = env, texts
        for number in range(connections):
            env.process(self._begin(workers[number % len(workers)], number * OPENED_S))

    def _begin(self, worker: Worker, after_s: float) -> ProcessGenerator:
        yield self._env.timeout(after_s)
        self._ask(worker)

    def _ask(self, worker: Worker) -> None:
        worker.take(Request(self._texts, partial(self._ended, worker), self._env.now))

    def _ended(self, worker: Worker, request: Request) -> None:
        self.answered += request.status is Status.ANSWERED
        # By an event: a turn is over before the next request can be read.
        self._env.timeout(0).callbacks.append(lambda _: self._ask(worker))
