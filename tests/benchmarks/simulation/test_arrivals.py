import random
from collections.abc import Callable, Iterator
from itertools import islice, pairwise, takewhile

import pytest

from benchmarks.simulation.arrivals import DAY_S, HOURLY, bursty, poisson, share_of_day, varying


@pytest.mark.parametrize("make", [poisson, bursty])
def test_the_mean_rate_is_the_one_asked_for(make: Callable[[float, random.Random], Iterator[float]]) -> None:
    rng = random.Random(0)
    assert len(list(takewhile(lambda now: now < 2000, make(20.0, rng)))) / 2000 == pytest.approx(20, rel=0.05)


def _dispersion(arrivals: Iterator[float], seconds: int) -> float:
    counts = [0] * seconds
    for now in takewhile(lambda now: now < seconds, arrivals):
        counts[int(now)] += 1
    mean = sum(counts) / seconds
    return sum((count - mean) ** 2 for count in counts) / seconds / mean


def test_a_bursty_process_varies_more_than_a_poisson_process() -> None:
    assert _dispersion(poisson(20, random.Random(1)), 2000) == pytest.approx(1, abs=0.15)
    assert _dispersion(bursty(20, random.Random(1)), 2000) > 5


def test_a_varying_rate_is_followed() -> None:
    found = list(takewhile(lambda now: now < 200, varying(lambda now: 50 if now < 100 else 10, 50, random.Random(2))))
    assert sum(now < 100 for now in found) / 100 == pytest.approx(50, rel=0.1)
    assert sum(now >= 100 for now in found) / 100 == pytest.approx(10, rel=0.1)


def test_a_day_begins_as_it_ends_and_is_highest_once() -> None:
    assert HOURLY[0] == HOURLY[-1]
    assert max(HOURLY) == 1.0
    assert share_of_day(DAY_S + 60) == share_of_day(60)


def test_arrivals_ascend() -> None:
    assert all(a < b for a, b in pairwise(islice(bursty(100, random.Random(3)), 2000)))
