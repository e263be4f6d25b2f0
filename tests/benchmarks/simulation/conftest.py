"""Made-up service times, and a run of one worker under Poisson arrivals."""

import random
from dataclasses import dataclass, field

import pytest
import simpy

from app.batching.policy import Packed
from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.clients import OpenClients
from benchmarks.simulation.core import Machine
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.worker import Bounds, Worker

ONE_BY_ONE = Bounds(policy=Packed(1, 10**9), max_texts=10**9, max_tokens=10**9, max_requests=10**9, deadline_s=1e9)
"""No bound, and one text a turn: the single server of queueing theory."""


@dataclass(frozen=True)
class MadeUp:
    """Service times of which theory knows the answer."""

    text_s: float = 0.01
    exponential: bool = False
    delay_s: float = 0.0
    refused_s: float = 0.0

    machine: Machine = field(default_factory=Machine)
    reading: float = 0.0
    answering: float = 0.0
    waking: float = 0.0

    def batch_s(self, texts: int, _handed_over: bool, rng: random.Random) -> float:
        return rng.expovariate(1 / (texts * self.text_s)) if self.exponential else texts * self.text_s

    def reading_s(self, requests: int) -> float:
        return requests * self.reading

    def answering_s(self, requests: int) -> float:
        return requests * self.answering

    def waking_s(self, _texts: int, idle_s: float, _rng: random.Random) -> float:
        return self.waking if idle_s > 0 else 0.0

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
