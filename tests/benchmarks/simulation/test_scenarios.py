from dataclasses import replace
from functools import cache

import pytest

from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.scenarios import EVENT_S, SCENARIOS, Variant, capacity_of, simulate
from benchmarks.simulation.worker import Status
from tests.benchmarks.simulation.conftest import MadeUp

TIMES = MadeUp(text_s=3e-4, refused_s=2e-3)
"""A request of 64 texts takes 19 ms, so that a minute has few of them."""


@cache
def _capacity() -> float:
    return capacity_of(TIMES)


def _run(variant: Variant, seed: int = 0, seconds: float = 25.0) -> Outcome:
    return simulate(replace(variant, seconds=seconds), TIMES, _capacity(), seed)


def _variant(scenario: str, name: str) -> Variant:
    (found,) = (variant for variant in SCENARIOS[scenario] if variant.name.startswith(name))
    return found


def test_capacity_is_what_three_workers_can_do() -> None:
    assert _capacity() == pytest.approx(3 / (64 * TIMES.text_s), rel=0.03)


def test_the_same_seed_gives_the_same_run_and_another_seed_another_one() -> None:
    variant = SCENARIOS["bursts"][-1]
    first, again, other = (_run(variant, seed, 5.0) for seed in (1, 1, 2))
    assert first == again
    assert first.latencies != other.latencies


@pytest.mark.parametrize(
    ("scenario", "place"), [(name, i) for name, found in SCENARIOS.items() for i in (0, len(found) - 1)]
)
def test_every_request_of_a_scenario_ends(scenario: str, place: int) -> None:
    outcome = _run(SCENARIOS[scenario][place], seconds=12.0)
    assert outcome.requests > 300
    assert outcome.tries - outcome.failed_tries == outcome.statuses[Status.ANSWERED]


def test_bursts_are_answered_later_than_even_arrivals_of_the_same_rate() -> None:
    even, bursty = (_run(_variant("bursts", f"{kind}, 70%")) for kind in ("Poisson", "bursty"))
    assert bursty.percentile_s(99) > 2 * even.percentile_s(99)


def test_a_zone_can_be_lost_at_60_percent_and_not_at_80() -> None:
    low, high = (_run(_variant("zone", f"{share} of capacity, no retry")) for share in ("60%", "80%"))
    assert 4 <= low.recovery_s(EVENT_S) <= 7  # the balancer's 5 s
    assert high.recovery_s(EVENT_S) > 12


def test_retries_at_once_answer_less_than_back_off_does() -> None:
    # These requests are so long that a full queue takes seconds, for which clients have to wait.
    patient = [replace(found, retry=replace(found.retry, timeout_s=3.0)) for found in SCENARIOS["retries"][1:3]]
    at_once, back_off = (_run(variant, seconds=16.0) for variant in patient)
    assert at_once.share(Status.ANSWERED) < back_off.share(Status.ANSWERED)


def test_the_sooner_a_replica_is_ready_the_fewer_are_refused() -> None:
    soon, late = (_run(_variant("lag", f"ready after {seconds} s, target 60%")) for seconds in (15, 300))
    assert soon.share(Status.REFUSED) < late.share(Status.REFUSED)
    assert soon.machine_hours > late.machine_hours
