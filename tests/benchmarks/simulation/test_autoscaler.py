import random

import simpy

from benchmarks.simulation.arrivals import varying
from benchmarks.simulation.autoscaler import Autoscaler, Scaling
from benchmarks.simulation.clients import OpenClients
from benchmarks.simulation.fleet import Fleet, Shape
from benchmarks.simulation.outcome import Outcome
from tests.benchmarks.simulation.conftest import MadeUp

SCALING = Scaling(least=2, most=8, target=0.5, every_s=5.0, ready_s=20.0, calm_s=30.0)


def test_replicas_follow_the_load_after_their_lag_and_go_when_it_has_gone() -> None:
    env = simpy.Environment()
    fleet, outcome = Fleet(env, MadeUp(text_s=0.1), Shape(replicas=2), seed=0), Outcome()
    clients = OpenClients(env, fleet.send, outcome, texts=1, rng=random.Random(0))
    clients.run(varying(lambda now: 18 if now < 100 else 2, 18, random.Random(1)), 200)
    Autoscaler(fleet, SCALING)
    env.run(6)
    assert (len(fleet.ready), fleet.running > 2) == (2, True)  # asked for, not ready yet
    env.run(29)
    assert len(fleet.ready) > 2
    env.run(100)
    assert fleet.running in (3, 4, 5)  # 18 · 0.1 s of work a second, half of a core each
    env.run(200)
    assert fleet.running == SCALING.least


def test_no_more_are_started_than_allowed() -> None:
    env = simpy.Environment()
    fleet, outcome = Fleet(env, MadeUp(text_s=0.1), Shape(replicas=2), seed=0), Outcome()
    OpenClients(env, fleet.send, outcome, texts=1, rng=random.Random(0)).run(
        varying(lambda _: 200, 200, random.Random(1)), 60
    )
    Autoscaler(fleet, SCALING)
    env.run(60)
    assert fleet.running == SCALING.most
