import random

import pytest

from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.predict import Server, predict_open, predict_saturation
from tests.benchmarks.simulation.conftest import MadeUp

TIMES = MadeUp(text_s=1e-3)


def test_two_workers_answer_twice_as_much_unless_the_generator_shares_a_core() -> None:
    one, two = (predict_saturation(TIMES, Server(workers, 1), 8 * workers, seed=0) for workers in (1, 2))
    assert one == pytest.approx(1000, rel=0.02)
    assert two == pytest.approx(2000, rel=0.02)
    shared = predict_saturation(TIMES, Server(2, 1, generator_s=2e-4), 16, seed=0)
    # x = 1000 + 1000 · (1 - 2e-4 · x)
    assert shared == pytest.approx(2000 / 1.2, rel=0.05)


def test_an_open_loop_is_answered_below_saturation() -> None:
    arrivals = poisson(500, random.Random(0))
    outcome = predict_open(TIMES, Server(1, 1), arrivals, rate=500, seconds=10, warm_up_s=1, seed=0)
    assert len(outcome.latencies) / 10 == pytest.approx(500, rel=0.05)
    assert outcome.percentile_s(50) >= 1e-3
