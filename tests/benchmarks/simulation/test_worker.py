import random

import pytest
import simpy

from app.batching.policy import Packed
from benchmarks.simulation.clients import ClosedClients
from benchmarks.simulation.worker import POLICY, Bounds, Request, Status, Worker
from tests.benchmarks.simulation.conftest import ONE_BY_ONE, MadeUp, run_single


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize(("load", "tolerance"), [(0.5, 0.05), (0.8, 0.1)])
def test_an_even_service_time_waits_as_md1(load: float, tolerance: float) -> None:
    """Pollaczek and Khinchine: the mean wait is load / (2 · (1 - load)) service times."""
    outcome, _ = run_single(MadeUp(text_s=0.01), load=load, seconds=200)
    wait = _mean(outcome.latencies) - 0.01
    assert wait == pytest.approx(0.01 * load / (2 * (1 - load)), rel=tolerance)


@pytest.mark.parametrize(("load", "tolerance"), [(0.5, 0.05), (0.8, 0.15)])
def test_an_exponential_service_time_waits_as_mm1(load: float, tolerance: float) -> None:
    outcome, worker = run_single(MadeUp(text_s=0.01, exponential=True), load=load, seconds=200)
    assert _mean(outcome.latencies) == pytest.approx(0.01 / (1 - load), rel=tolerance)
    assert worker.busy_s / 200 == pytest.approx(load, rel=0.05)
    # Latencies of M/M/1 are exponential too.
    assert outcome.percentile_s(99) == pytest.approx(0.01 / (1 - load) * 4.605, rel=3 * tolerance)


def test_requests_under_way_are_those_of_little() -> None:
    """Little: the mean number under way is the rate times the mean latency, whatever the distributions."""
    env = simpy.Environment()
    worker = Worker(env, MadeUp(exponential=True), random.Random(0), ONE_BY_ONE)
    rng, latencies, area, last = random.Random(1), list[float](), 0.0, 0.0

    def note() -> None:
        nonlocal area, last
        area, last = area + worker.under_way * (env.now - last), env.now

    def arrive() -> simpy.events.ProcessGenerator:
        for _ in range(5000):
            yield env.timeout(rng.expovariate(70))
            note()
            worker.take(Request(1, lambda request: latencies.append(env.now - request.sent), env.now))

    worker_leave = worker._leave

    def leave(request: Request, status: Status) -> None:
        note()
        worker_leave(request, status)

    worker._leave = leave  # type: ignore[method-assign]
    env.process(arrive())
    env.run()
    assert len(latencies) == 5000
    assert area / last == pytest.approx(5000 / last * _mean(latencies), rel=1e-6)


def test_a_request_is_refused_when_there_are_no_permits_for_all_of_its_texts() -> None:
    env = simpy.Environment()
    worker = Worker(env, MadeUp(), random.Random(0), Bounds(max_texts=100))
    ends: dict[int, Status | None] = {}
    for number, texts in enumerate((60, 60, 40)):
        worker.take(Request(texts, lambda request, number=number: ends.__setitem__(number, request.status), 0.0))  # type: ignore[misc]
    env.run()
    assert ends == {0: Status.ANSWERED, 1: Status.REFUSED, 2: Status.ANSWERED}
    assert worker.under_way == 0


def test_a_request_alone_is_read_computed_and_answered_in_turn() -> None:
    outcome, worker = run_single(
        MadeUp(text_s=0.01, reading=0.002, answering=0.003, waking=0.1), load=1e-4, seconds=250, bounds=Bounds()
    )
    assert outcome.latencies == pytest.approx([0.115] * outcome.requests)
    assert worker.busy_s == pytest.approx(0.115 * outcome.requests)


def test_requests_under_way_spread_over_reading_computing_answering_and_the_way_back() -> None:
    env, batches = simpy.Environment(), list[int]()

    class Noted(MadeUp):
        def batch_s(self, texts: int, handed_over: bool, rng: random.Random) -> float:
            batches.append(texts)
            return super().batch_s(texts, handed_over, rng)

    worker = Worker(env, Noted(text_s=1e-4, reading=1e-4, answering=1e-4), random.Random(0))
    ClosedClients(env, [worker], connections=60, texts=1)
    env.run(2.0)
    assert _mean([float(texts) for texts in batches[20:]]) == pytest.approx(60 / 4, rel=0.1)


def test_what_comes_while_the_device_thread_computes_is_read_first() -> None:
    env, done = simpy.Environment(), dict[int, float]()
    worker = Worker(env, MadeUp(text_s=0.01, reading=0.5), random.Random(0), Bounds(policy=Packed(100, 10**9)))
    for number, sent in enumerate((0.0, 0.9)):
        ask = lambda _, number=number: worker.take(  # noqa: E731
            Request(100, lambda _: done.__setitem__(number, env.now), env.now)
        )
        env.timeout(sent).callbacks.append(ask)
    env.run()
    # Read until 0.5, computed until 0.9; then the second is read for 0.5 s; each batch takes a second.
    assert done == pytest.approx({0: 2.0, 1: 3.0})


def test_a_refusal_keeps_the_worker_busy_for_what_it_costs() -> None:
    env = simpy.Environment()
    worker = Worker(env, MadeUp(text_s=0.01, refused_s=0.25), random.Random(0), Bounds(max_texts=1))
    for _ in range(3):
        worker.take(Request(1, lambda _: None, 0.0))
    env.run()
    assert worker.busy_s == pytest.approx(0.01 + 2 * 0.25)


def test_many_requests_at_once_are_refused_before_they_are_read() -> None:
    outcome, _ = run_single(MadeUp(), load=20, seconds=1, bounds=Bounds(max_requests=8))
    assert outcome.statuses[Status.REFUSED] > outcome.statuses[Status.ANSWERED] > 0


@pytest.mark.parametrize("texts", [1, 25, 64, 240, 1000])
def test_a_batch_is_the_one_that_the_servers_policy_cuts(texts: int) -> None:
    env = simpy.Environment()
    worker = Worker(env, MadeUp(), random.Random(0), Bounds(max_requests=10**9))
    for _ in range(300 // texts + 1):
        worker.take(Request(texts, lambda _: None, 0.0))
    worker._waiting.extend(worker._admit()[0])
    waiting = [MadeUp().tokens(1)] * sum(request.rest for request in worker._waiting)
    assert sum(worker._cut().values()) == len(POLICY.cut(waiting[: POLICY.window]))


def test_a_text_longer_than_a_batch_is_computed_alone() -> None:
    env = simpy.Environment()
    done = list[float]()
    worker = Worker(env, MadeUp(text_s=1.0), random.Random(0), Bounds(policy=Packed(10, 20)))
    for _ in range(2):
        worker.take(Request(1, lambda _: done.append(env.now), 0.0))
    env.run()
    assert done == [1.0, 2.0]


def test_what_waits_past_the_deadline_is_late() -> None:
    bounds = Bounds(policy=Packed(1, 10**9), deadline_s=1.0, max_requests=10**9)
    env = simpy.Environment()
    ends: dict[int, Status | None] = {}
    worker = Worker(env, MadeUp(text_s=0.8), random.Random(0), bounds)
    for number in range(4):
        worker.take(Request(1, lambda request, number=number: ends.__setitem__(number, request.status), 0.0))  # type: ignore[misc]
    env.run()
    assert ends == {0: Status.ANSWERED, 1: Status.ANSWERED, 2: Status.LATE, 3: Status.LATE}


def test_a_stopped_worker_loses_what_it_had_and_what_comes() -> None:
    env = simpy.Environment()
    ends = list[Status | None]()
    worker = Worker(env, MadeUp(text_s=1.0), random.Random(0))
    for _ in range(2):
        worker.take(Request(300, lambda request: ends.append(request.status), 0.0))
    env.run(0.5)
    worker.stop()
    worker.take(Request(1, lambda request: ends.append(request.status), 0.5))
    env.run()
    assert ends == [Status.LOST] * 3
    assert worker.under_way == 0
