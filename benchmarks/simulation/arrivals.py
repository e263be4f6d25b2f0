"""Arrival times of requests: Poisson, bursty, and along a day.

Each function gives seconds since the start, ascending and without end.
"""

import random
from collections.abc import Callable, Iterator
from itertools import pairwise

DAY_S = 86_400.0

HOURLY = (
    0.42, 0.33, 0.27, 0.24, 0.23, 0.26, 0.35, 0.50, 0.65, 0.75, 0.80, 0.84,
    0.88, 0.85, 0.80, 0.79, 0.80, 0.84, 0.90, 0.96, 1.00, 0.95, 0.78, 0.58, 0.42,
)  # fmt: skip
"""Rate at each full hour of a day, as a share of the highest; made up after services that people use awake."""


def poisson(rate: float, rng: random.Random) -> Iterator[float]:
    """Arrivals that know nothing of one another, `rate` a second."""
    now = 0.0
    while True:
        now += rng.expovariate(rate)
        yield now


def bursty(
    rate: float, rng: random.Random, *, times: float = 5.0, share: float = 0.1, burst_s: float = 1.0
) -> Iterator[float]:
    """A Poisson process whose rate is switched by a Markov chain of two states (MMPP).

    Args:
        rate: arrivals a second in the long run.
        rng: of all draws.
        times: rate in a burst over the rate between bursts.
        share: part of the time that is a burst, above 0 and below 1.
        burst_s: mean length of a burst.
    """
    quiet_rate = rate / (1 - share + share * times)
    states = ((quiet_rate, burst_s * (1 - share) / share), (quiet_rate * times, burst_s))
    now, state = 0.0, int(rng.random() < share)
    while True:
        rate_now, mean_s = states[state]
        end = now + rng.expovariate(1 / mean_s)
        while (now := now + rng.expovariate(rate_now)) < end:
            yield now
        # A Poisson process has no memory: what was drawn past the end is drawn anew from there.
        now, state = end, 1 - state


def varying(rate_at: Callable[[float], float], highest: float, rng: random.Random) -> Iterator[float]:
    """A Poisson process whose rate is a function of time, by thinning one of the highest rate.

    Source: Lewis and Shedler 1979, "Simulation of nonhomogeneous Poisson processes by thinning".
    """
    for now in poisson(highest, rng):
        if rng.random() * highest < rate_at(now):
            yield now


def share_of_day(seconds: float) -> float:
    """Rate at a time of the day as a share of the highest, between the hours in straight lines.

    >>> share_of_day(0), share_of_day(20 * 3600), round(share_of_day(1.5 * 3600), 3)
    (0.42, 1.0, 0.3)
    """
    hours = (seconds % DAY_S) / 3600
    before, after = list(pairwise(HOURLY))[int(hours)]
    return before + (after - before) * (hours % 1)
