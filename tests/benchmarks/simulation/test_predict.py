from itertools import islice
from typing import Any

import pytest

from benchmarks.simulation.core import Machine
from benchmarks.simulation.predict import Point, Server, predict, predict_saturation
from benchmarks.simulation.service_times import GeneratorCosts, ServiceTimes, Spread
from tests.benchmarks.simulation.conftest import MadeUp
from tests.benchmarks.simulation.test_service_times import make_calibration

TIMES = MadeUp(text_s=1e-3)


def test_two_workers_answer_twice_as_much_unless_the_generator_shares_a_core() -> None:
    one, two = (predict_saturation(TIMES, Server(workers, 1), 8 * workers, seed=0) for workers in (1, 2))
    assert one == pytest.approx(1000, rel=0.02)
    assert two == pytest.approx(2000, rel=0.02)
    shared = predict_saturation(TIMES, Server(2, 1, shared=True), 16, seed=0, generator_s=2e-4)
    # x = 1000 + 1000 · (1 - 2e-4 · x)
    assert shared == pytest.approx(2000 / 1.2, rel=0.05)


def _point(**fields: Any) -> Point:
    return Point.model_validate(
        {"workers": 1, "texts": 1, "load": 0.5, "offered": 300.0, "measured": 300.0, "seconds": 3.0} | fields
    )


def test_an_open_loop_is_answered_below_saturation() -> None:
    found = predict(_point(), ServiceTimes(make_calibration(batch_s=1e-3)))
    assert found.predicted == pytest.approx(300, rel=0.05)
    assert 1e-3 < found.predicted_p50_s < found.predicted_range[0] <= found.predicted_p99_s
    assert found.measured == 300


def test_saturation_is_predicted_without_latencies() -> None:
    found = predict(_point(load=None), ServiceTimes(make_calibration()))
    assert found.predicted > 1000
    assert found.predicted_p99_s == 0


def test_a_generator_that_shares_a_core_makes_latencies_longer() -> None:
    times = ServiceTimes(
        make_calibration(
            generator={1: GeneratorCosts(send_s=5e-4)},
            core=Machine(slices=[2e-3]),
            spreads=[Spread(seconds=1e-4, usual=[1.0], rare=[1.0])],
        )
    )
    alone, shared = (predict(_point(offered=900.0, seconds=0.2, shared=shared), times) for shared in (False, True))
    assert shared.predicted_p99_s > 1.2 * alone.predicted_p99_s


def test_arrivals_are_the_same_each_time() -> None:
    first, again = (list(islice(_point().arrivals(), 5)) for _ in range(2))
    assert first == again
