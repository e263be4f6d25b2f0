import random
from collections.abc import Callable
from itertools import islice

import pytest
import simpy

from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.clients import ClosedClients, OpenClients, Retry
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.worker import Request, Status, Worker
from tests.benchmarks.simulation.conftest import MadeUp


def _run(retry: Retry, send: Callable[[simpy.Environment], Callable[[Request], None]], count: int = 1) -> Outcome:
    env, outcome = simpy.Environment(), Outcome()
    clients = OpenClients(env, send(env), outcome, texts=1, rng=random.Random(0), retry=retry, delay_s=0.5)
    clients.run(islice(poisson(100, random.Random(1)), count), 1e9)
    env.run()
    return outcome


def _refuse(_env: simpy.Environment) -> Callable[[Request], None]:
    return lambda request: request.end(Status.REFUSED)


def test_waits_double_and_jitter_draws_from_them() -> None:
    rng = random.Random(0)
    plain = Retry(tries=4, first_s=0.1, jitter=False)
    assert [plain.wait_s(failed, rng) for failed in (1, 2, 3)] == pytest.approx([0.1, 0.2, 0.4])
    drawn = [Retry(first_s=0.1).wait_s(3, rng) for _ in range(500)]
    assert 0 <= min(drawn) < 0.04
    assert 0.36 < max(drawn) <= 0.4


def test_a_request_is_tried_as_often_as_allowed_and_then_counts_once() -> None:
    outcome = _run(Retry(tries=3), _refuse, count=5)
    assert (outcome.tries, outcome.failed_tries, outcome.requests) == (15, 15, 5)
    assert outcome.share(Status.REFUSED) == 1
    assert outcome.amplification == 3


def test_a_latency_counts_from_when_the_first_try_was_due() -> None:
    tries = list[Request]()

    def send(_env: simpy.Environment) -> Callable[[Request], None]:
        def take(request: Request) -> None:
            tries.append(request)
            request.end(Status.REFUSED if len(tries) < 3 else Status.ANSWERED)

        return take

    outcome = _run(Retry(tries=3, first_s=1.0, jitter=False), send)
    assert outcome.latencies == pytest.approx([1.0 + 2.0 + 0.5])  # two waits, and the way there and back


def test_a_client_gives_a_try_up_after_its_timeout() -> None:
    outcome = _run(Retry(timeout_s=2.0), lambda _env: lambda _request: None)
    assert outcome.statuses == {Status.ABANDONED: 1}


def test_a_closed_loop_keeps_a_worker_busy() -> None:
    env = simpy.Environment()
    workers = [Worker(env, MadeUp(text_s=0.01), random.Random(place)) for place in range(2)]
    clients = ClosedClients(env, workers, connections=2, texts=1)
    env.run(10)
    assert clients.answered == pytest.approx(2 * 1000, abs=4)
