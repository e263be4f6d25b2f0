"""Predictions of one server under an open or a closed loop."""

import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import simpy

from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.clients import ClosedClients
from benchmarks.simulation.core import Core, Frozen
from benchmarks.simulation.generator import Generator
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.service_times import ServiceTimes
from benchmarks.simulation.worker import Times, Worker

CLOSED_S, CLOSED_WARM_UP_S = 3.0, 0.2
SATURATING = {1: 64, 8: 16, 64: 8}
"""Connections, by texts a request, that keep a worker busy."""

WARM_UP_S = 1.0
SEEDS = 3


class Point(Frozen):
    """One load of one server, measured and predicted. Saturation, by a closed loop, has no latencies.

    Attributes:
        workers, texts: of the server, and of each request.
        load: share of saturation; None for saturation itself.
        offered: requests due a second; of saturation, the measured answers.
        shared: whether the generator had the core of the last worker.
        generator_s: processor time of a closed loop's generator for a request.
        seconds: of the run, after `WARM_UP_S`.
        measured, predicted: answers with 200 a second; the prediction is the median of its seeds.
        measured_p50_s, predicted_p50_s: median latencies.
        measured_p99_s, predicted_p99_s: of the whole run, and the median of the seeds.
        measured_range, predicted_range: least and most p99 of the run's parts, and of the seeds.
        refused: measured share of requests not answered with 200.
    """

    workers: int
    texts: int
    load: float | None
    offered: float
    measured: float
    shared: bool = False
    generator_s: float = 0.0
    seconds: float = 10.0
    predicted: float = 0.0
    measured_p50_s: float = 0.0
    predicted_p50_s: float = 0.0
    measured_p99_s: float = 0.0
    predicted_p99_s: float = 0.0
    measured_range: tuple[float, float] = (0.0, 0.0)
    predicted_range: tuple[float, float] = (0.0, 0.0)
    refused: float = 0.0

    def arrivals(self) -> Iterator[float]:
        """When requests are due: the same for the server and for the simulation."""
        return poisson(self.offered, random.Random(f"{self.workers}/{self.texts}/{self.load}"))


@dataclass(frozen=True)
class Server:
    """A server of some workers, each on a core, which its load generator may share.

    Attributes:
        workers: processes.
        texts: of each request.
        shared: whether the generator runs on the core of the last worker.
    """

    workers: int
    texts: int
    shared: bool = False


def predict_open(
    times: ServiceTimes, server: Server, arrivals: Iterator[float], seconds: float, warm_up_s: float, seed: int
) -> Outcome:
    """Outcome of requests that are due by `arrivals`, as the load generator sees it."""
    env = simpy.Environment()
    outcome = Outcome(from_s=warm_up_s)
    cores = [Core(env, times.machine, random.Random(f"{seed}/core {number}")) for number in range(server.workers + 1)]
    workers = [
        Worker(env, times, random.Random(f"{seed}/{place}"), core=cores[place]) for place in range(server.workers)
    ]
    generator = Generator(
        env,
        workers,
        outcome,
        costs=times.generator(server.texts),
        core=cores[server.workers - 1].share() if server.shared else cores[-1],
        naps=times.machine.naps,
        texts=server.texts,
        delay_s=times.delay_s,
        rng=random.Random(f"{seed}/generator"),
    )
    generator.run(arrivals, warm_up_s + seconds)
    env.run()
    return outcome


def predict_saturation(
    times: Times, server: Server, connections: int, seed: int, generator_s: float = 0.0, seconds: float = CLOSED_S
) -> float:
    """Answers a second over connections that ask again at once.

    A generator that shares the core of the last worker leaves it what `generator_s` a request do not take.
    """
    rate = 0.0
    for _ in range(3 if server.shared else 1):  # what the generator takes depends on the rate
        env = simpy.Environment()
        left = max(0.1, 1 - rate * generator_s)
        workers = [
            Worker(env, times, random.Random(f"{seed}/{place}"), speed=left if place == server.workers - 1 else 1.0)
            for place in range(server.workers)
        ]
        clients = ClosedClients(env, workers, connections=connections, texts=server.texts)
        env.run(CLOSED_WARM_UP_S)
        before = clients.answered
        env.run(CLOSED_WARM_UP_S + seconds)
        rate = (clients.answered - before) / seconds
    return rate


def predict(point: Point, times: ServiceTimes) -> Point:
    """The point with its prediction."""
    server = Server(point.workers, point.texts, point.shared)
    if point.load is None:
        connections = point.workers * SATURATING[point.texts]
        rates = [predict_saturation(times, server, connections, seed, point.generator_s) for seed in range(SEEDS)]
        return point.model_copy(update={"predicted": statistics.median(rates)})
    seen = [predict_open(times, server, point.arrivals(), point.seconds, WARM_UP_S, seed) for seed in range(SEEDS)]
    high = [outcome.percentile_s(99) for outcome in seen]
    return point.model_copy(
        update={
            "predicted": statistics.median(len(outcome.latencies) / point.seconds for outcome in seen),
            "predicted_p50_s": statistics.median(outcome.percentile_s(50) for outcome in seen),
            "predicted_p99_s": statistics.median(high),
            "predicted_range": (min(high), max(high)),
        }
    )
