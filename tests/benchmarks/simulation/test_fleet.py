import random

import pytest
import simpy

from benchmarks.simulation.fleet import Fleet, Shape, at_random, least_under_way
from benchmarks.simulation.worker import Request, Status
from tests.benchmarks.simulation.conftest import MadeUp


def _fleet(**shape: float) -> tuple[simpy.Environment, Fleet]:
    env = simpy.Environment()
    return env, Fleet(env, MadeUp(text_s=1.0), Shape(replicas=6, **shape), seed=0)  # type: ignore[arg-type]


def test_replicas_are_spread_over_the_zones() -> None:
    _, fleet = _fleet()
    assert sorted(replica.zone for replica in fleet.ready) == [0, 0, 1, 1, 2, 2]


def test_the_balancer_takes_the_replica_with_the_fewest_under_way() -> None:
    _, fleet = _fleet()
    for _ in range(6):
        fleet.send(Request(1, lambda _: None, 0.0))
    assert [replica.under_way for replica in fleet.ready] == [1] * 6
    rng = random.Random(0)
    fleet.ready[2].take(Request(1, lambda _: None, 0.0), rng)
    assert all(least_under_way(fleet.ready, rng) is not fleet.ready[2] for _ in range(50))
    assert any(at_random(fleet.ready, rng) is fleet.ready[2] for _ in range(200))


def test_a_lost_zone_takes_a_third_and_the_balancer_notices_later() -> None:
    env, fleet = _fleet(notice_s=5.0)
    ends = list[Status | None]()
    for _ in range(6):
        fleet.send(Request(1, lambda request: ends.append(request.status), 0.0))
    env.run(0.5)
    fleet.lose_zone(0)
    assert ends == [Status.LOST] * 2
    assert (fleet.running, len(fleet.ready)) == (4, 6)
    env.run(6)
    assert [replica.zone for replica in fleet.ready] == [1, 2, 1, 2]
    assert ends.count(Status.ANSWERED) == 4


def test_machine_hours_count_from_the_order_to_the_end() -> None:
    env, fleet = _fleet()
    env.run(3600)
    assert fleet.machine_hours == pytest.approx(6)
    fleet.remove(fleet.ready[0])
    fleet.start()
    env.run(7200)
    assert fleet.machine_hours == pytest.approx(6 + 5 + 1)


def test_without_replicas_a_request_is_lost() -> None:
    _, fleet = _fleet()
    for replica in list(fleet.ready):
        fleet.remove(replica)
    request = Request(1, lambda _: None, 0.0)
    fleet.send(request)
    assert request.status is Status.LOST
