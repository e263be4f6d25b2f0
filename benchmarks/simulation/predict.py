"""Predictions of one server under an open or a closed loop."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import simpy

from benchmarks.simulation.clients import ClosedClients, KeptConnections, OpenClients
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.worker import Times, Worker

CLOSED_S, CLOSED_WARM_UP_S = 3.0, 0.2


@dataclass(frozen=True)
class Server:
    """A server of some workers, each on a core, which its load generator may share.

    Attributes:
        workers: processes.
        texts: of each request.
        generator_s: processor time of the generator for a request, on the core of the last worker; 0 where it has one.
    """

    workers: int
    texts: int
    generator_s: float = 0.0

    def start(self, env: simpy.Environment, times: Times, seed: int, rate: float) -> list[Worker]:
        """The workers; the last one has what the generator leaves of its core at `rate` requests a second."""
        left = max(0.1, 1 - rate * self.generator_s)
        return [
            Worker(env, times, random.Random(f"{seed}/{place}"), speed=left if place == self.workers - 1 else 1.0)
            for place in range(self.workers)
        ]


def predict_open(
    times: Times, server: Server, arrivals: Iterator[float], rate: float, seconds: float, warm_up_s: float, seed: int
) -> Outcome:
    """Outcome of requests that come by `arrivals`, `rate` a second, over kept connections."""
    env = simpy.Environment()
    outcome = Outcome(from_s=warm_up_s)
    connections = KeptConnections(server.start(env, times, seed, rate), random.Random(f"{seed}/connections"))
    clients = OpenClients(
        env,
        connections.send,
        outcome,
        texts=server.texts,
        rng=random.Random(f"{seed}/clients"),
        delay_s=times.delay_s,
    )
    clients.run(arrivals, warm_up_s + seconds)
    env.run()
    return outcome


def predict_saturation(times: Times, server: Server, connections: int, seed: int, seconds: float = CLOSED_S) -> float:
    """Answers a second over connections that ask again at once."""
    rate = 0.0
    for _ in range(3 if server.generator_s else 1):  # what the generator takes depends on the rate
        env = simpy.Environment()
        clients = ClosedClients(env, server.start(env, times, seed, rate), connections=connections, texts=server.texts)
        env.run(CLOSED_WARM_UP_S)
        before = clients.answered
        env.run(CLOSED_WARM_UP_S + seconds)
        rate = (clients.answered - before) / seconds
    return rate
