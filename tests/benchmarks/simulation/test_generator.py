import random

import pytest
import simpy

from benchmarks.lib.open_loop import NAP_S
from benchmarks.simulation.core import Core, Machine
from benchmarks.simulation.generator import Generator
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.service_times import GeneratorCosts
from benchmarks.simulation.worker import Worker
from tests.benchmarks.simulation.conftest import MadeUp


def _run(
    dues: list[float], times: MadeUp, costs: GeneratorCosts, naps: list[float], num_workers: int = 1
) -> tuple[Outcome, list[Worker]]:
    env, outcome = simpy.Environment(), Outcome()
    workers = [Worker(env, times, random.Random(place)) for place in range(num_workers)]
    core = Core(env, Machine(), random.Random(0))
    generator = Generator(
        env, workers, outcome, costs=costs, core=core, naps=naps, texts=1, delay_s=0.0, rng=random.Random(0)
    )
    generator.run(iter([*dues, 1e9]), 1e8)
    env.run()
    return outcome, workers


def test_a_latency_holds_the_work_of_the_generator_and_what_it_overslept() -> None:
    costs = GeneratorCosts(send_s=3e-5, read_s=2e-5, look_s=1e-5)
    outcome, _ = _run([1.0, 2.0], MadeUp(text_s=1e-2), costs, [NAP_S + 5e-5])
    for latency in outcome.latencies:
        # Late by a nap at most; the answer waits for a look, for which the generator wakes by itself.
        assert 1e-2 + 5e-5 <= latency <= 1e-2 + 5e-5 + 3 * NAP_S


def test_a_generator_that_is_behind_reads_after_some_requests_only() -> None:
    outcome, _ = _run([0.0] * 65, MadeUp(text_s=1e-6), GeneratorCosts(send_s=1e-3), [NAP_S])
    # All are due at once, and the first answer is read when 64 requests have left.
    assert sorted(outcome.latencies)[:63] == pytest.approx([64e-3] * 63)


def test_the_connection_that_became_idle_last_is_used_next() -> None:
    dues = [0.0, 0.0, 1.0, 2.0, 3.0]
    _, workers = _run(dues, MadeUp(text_s=0.01), GeneratorCosts(), [NAP_S], num_workers=2)
    assert sorted(worker.busy_s for worker in workers) == pytest.approx([0.01, 0.04])
