"""Made-up service times, and a run of one worker under Poisson arrivals."""

import random
from dataclasses import dataclass

import pytest
import simpy

from app.batching.policy import Packed
from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.clients import OpenClients
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.worker import Bounds, Worker

ONE_BY_ONE = Bounds(policy=Packed(1, 10**9), max_texts=10**9, max_tokens=10**9, max_requests=10**9, deadline_s=1e9)
"""No bound, and one text a turn: the single server of queueing theory."""


@dataclass(frozen=True)
class MadeUp:
    """Service times of which theory knows the answer."""

    text_s: float = 0.01
    request_s: float = 0.0
    exponential: bool = False
    delay_s: float = 0.0
    refused_s: float = 0.0

    def draw_s(self, requests: int, texts: int, rng: random.Random) -> float:
        mean = requests * self.request_s + texts * self.text_s
        return rng.expovariate(1 / mean) if self.exponential else mean

    def refusal_s(self, _texts: int) -> float:
        return self.refused_s

    def tokens(self, texts: int) -> int:
        return 25 * texts


def run_single(
    times: MadeUp, *, load: float, seconds: float, seed: int = 0, bounds: Bounds = ONE_BY_ONE, texts: int = 1
) -> tuple[Outcome, Worker]:
    """One worker under Poisson arrivals, whose load is the share of its time that they need."""
    env = simpy.Environment()
    worker = Worker(env, times, random.Random(f"{seed}/worker"), bounds)
    outcome = Outcome()
    clients = OpenClients(env, worker.take, outcome, texts=texts, rng=random.Random(f"{seed}/clients"))
    clients.run(poisson(load / (texts * times.text_s), random.Random(f"{seed}/arrivals")), seconds)
    env.run()
    return outcome, worker


@pytest.fixture
def made_up() -> MadeUp:
    return MadeUp()
