"""The load generator in simulated time, as `benchmarks.lib.open_loop` is written: naps make it send and read late."""

import random
from collections.abc import Iterator

import simpy
from simpy.events import ProcessGenerator

from benchmarks.lib.open_loop import NAP_S, READ_EVERY, TICK_S
from benchmarks.simulation.core import Core
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.service_times import GeneratorCosts
from benchmarks.simulation.worker import Request, Status, Worker


class Generator:
    """Sends requests when they are due over kept connections, the last that became idle first, and reads the answers.

    A connection that is opened goes to the worker with the fewest requests under way, which is awake first.

    Args:
        env: simulated time.
        workers: of the server.
        outcome: told of each request, with the time from when it was due until its answer was read.
        costs: of its own.
        core: that it runs on.
        texts: of each request.
        delay_s: on the way to the server and back.
        rng: of its naps and of the choice of workers.
    """

    def __init__(
        self,
        env: simpy.Environment,
        workers: list[Worker],
        outcome: Outcome,
        *,
        costs: GeneratorCosts,
        core: Core,
        naps: list[float],
        texts: int,
        delay_s: float,
        rng: random.Random,
    ) -> None:
        self._env, self._workers, self._outcome, self._costs, self._core = env, workers, outcome, costs, core
        self._naps, self._texts, self._delay_s, self._rng = naps or [NAP_S], texts, delay_s, rng
        self._idle: list[Worker] = []
        self._answers: list[tuple[Request, float, Worker]] = []
        self._unanswered = 0
        self._news = env.event()

    def run(self, arrivals: Iterator[float], until: float) -> None:
        """Sends a request at each arrival before `until`."""
        self._env.process(self._send_all(arrivals, until))

    def _send_all(self, arrivals: Iterator[float], until: float) -> ProcessGenerator:
        for number, due in enumerate(arrivals, 1):
            if due >= until:
                break
            while (early := due - self._env.now) > 0:
                yield from self._wait(early)
            yield from self._core.run(self._costs.send_s)
            self._send(due)
            if number % READ_EVERY == 0:
                yield from self._read()
        while self._unanswered:
            yield from self._wait(3 * TICK_S)

    def _wait(self, early: float) -> ProcessGenerator:
        if early <= 2 * TICK_S:
            nap = self._rng.choice(self._naps)
            yield self._env.timeout(nap if early >= NAP_S else nap - NAP_S + early)
        elif not self._answers:
            self._news = self._env.event()
            yield self._news | self._env.timeout(TICK_S)
        yield from self._core.run(self._costs.look_s, napped=True)
        yield from self._read()

    def _send(self, due: float) -> None:
        if self._idle:
            worker = self._idle.pop()
        else:
            fewest = min(worker.under_way for worker in self._workers)
            worker = self._rng.choice([worker for worker in self._workers if worker.under_way == fewest])
        self._unanswered += 1
        self._outcome.tries += 1

        def ended(request: Request) -> None:
            self._answers.append((request, due, worker))
            if not self._news.triggered:
                self._news.succeed()

        worker.take(Request(self._texts, ended, self._env.now))

    def _read(self) -> ProcessGenerator:
        answers, self._answers = self._answers, []
        for request, due, worker in answers:
            yield from self._core.run(self._costs.read_s)
            self._unanswered -= 1
            self._idle.append(worker)
            assert request.status is not None  # noqa: S101  # it has ended
            self._outcome.add(due, request.status, self._env.now - due + self._delay_s)
            self._outcome.failed_tries += request.status is not Status.ANSWERED
