"""Scenarios of a fleet: bursts, the loss of a zone, a retry storm, slow autoscaling, a day.

Rates are shares of what the fleet can answer at most. Where the fleet is scaled a simulated second stands for many:
queues live for milliseconds and replicas start in minutes, so the time between can be shortened, and the lags with it.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import simpy

from benchmarks.simulation import arrivals
from benchmarks.simulation.autoscaler import Autoscaler, Scaling
from benchmarks.simulation.clients import OpenClients, Retry
from benchmarks.simulation.fleet import Fleet, Shape, at_random
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.predict import Server, predict_saturation
from benchmarks.simulation.worker import Times

Load = Callable[[float, random.Random], Iterator[float]]
"""Arrivals from the fleet's capacity, in requests a second, and a source of chance."""

TEXTS = 64
CONNECTIONS = 8
DRAIN_S = 15.0
"""Simulated time for what is under way or waits for its next try when the last request has come."""

EVENT_S = 10.0
"""Simulated time at which the zone is lost, the burst begins, the rate grows."""

PATIENT = Retry(timeout_s=1.0)
TRIES = 6
AT_ONCE = Retry(tries=TRIES, first_s=0.02, factor=1.0, jitter=False, timeout_s=1.0)
BACK_OFF = Retry(tries=TRIES, first_s=0.2, factor=2.0, jitter=False, timeout_s=1.0)
JITTER = replace(BACK_OFF, jitter=True)

BLIND = Shape(replicas=3, choose=at_random)
"""A balancer that counts nothing: one that counts would send all to a replica that fails at once, as the idlest."""


@dataclass(frozen=True)
class Variant:
    """One row of a scenario's table.

    Attributes:
        name: as the table says it.
        load: the arrivals.
        shape: of the fleet at the start.
        seconds: simulated, in which requests come.
        retry: of the clients.
        scaling: of the autoscaler, in simulated time; None for a fleet that stays.
        zone_lost: True if the first zone is lost at `EVENT_S`.
        scale: seconds for which a simulated one stands; machine-hours and recovery are told in those.
    """

    name: str
    load: Load
    shape: Shape = field(default_factory=lambda: Shape(replicas=3))
    seconds: float = 40.0
    retry: Retry = PATIENT
    scaling: Scaling | None = None
    zone_lost: bool = False
    scale: float = 1.0


def steady(share: float) -> Load:
    """Poisson arrivals at that share of capacity."""
    return lambda capacity, rng: arrivals.poisson(share * capacity, rng)


def in_bursts(share: float) -> Load:
    """Arrivals at that share in the mean; a tenth of the time, 0.2 s at once, five times as many as else."""
    return lambda capacity, rng: arrivals.bursty(share * capacity, rng, burst_s=0.2)


def burst(share: float, high: float, seconds: float) -> Load:
    """Poisson arrivals at `share`, but at `high` for some seconds from `EVENT_S` on."""

    def load(capacity: float, rng: random.Random) -> Iterator[float]:
        def rate(now: float) -> float:
            return capacity * (high if EVENT_S <= now < EVENT_S + seconds else share)

        return arrivals.varying(rate, capacity * max(high, share), rng)

    return load


def day(highest: float, scale: float) -> Load:
    """A day's curve whose highest rate is that share of capacity."""

    def load(capacity: float, rng: random.Random) -> Iterator[float]:
        top = highest * capacity
        return arrivals.varying(lambda now: top * arrivals.share_of_day(now * scale), top, rng)

    return load


STEP_SCALE, DAY_SCALE = 30.0, 480.0


def _scaled(scale: float, **settings: float) -> Scaling:
    """Scaling with its times in simulated seconds."""
    real = Scaling(least=2, most=12)
    times = {name: settings.get(name, getattr(real, name)) / scale for name in ("every_s", "ready_s", "calm_s")}
    return replace(real, target=settings.get("target", real.target), **times)


def _step(name: str, ready_s: float, **settings: float) -> Variant:
    """The rate grows threefold at once, from half of three replicas' capacity."""
    scaling = _scaled(STEP_SCALE, ready_s=ready_s, **settings)
    return Variant(name, burst(0.5, 1.5, math.inf), scaling=scaling, seconds=40.0, scale=STEP_SCALE)


def _day(name: str, replicas: int, scaling: Scaling | None) -> Variant:
    """A day whose highest rate is 60% of what six replicas of the three-replica capacity can do."""
    load = day(1.2, DAY_SCALE)
    return Variant(name, load, Shape(replicas=replicas), arrivals.DAY_S / DAY_SCALE, scaling=scaling, scale=DAY_SCALE)


SCENARIOS: dict[str, list[Variant]] = {
    "bursts": [
        Variant(f"{kind}, {share:.0%} of capacity", load(share))
        for kind, load in (("Poisson", steady), ("bursty", in_bursts))
        for share in (0.5, 0.7, 0.9)
    ],
    "zone": [
        Variant(f"{share:.0%} of capacity, {name}", steady(share), BLIND, zone_lost=True, retry=retry)
        for share in (0.5, 0.6, 0.8)
        for name, retry in (("no retry", PATIENT), (f"{TRIES} tries, back-off and jitter", JITTER))
    ],
    "retries": [
        Variant(name, burst(0.8, 3.0, 2.0), retry=retry)
        for name, retry in (
            ("no retry", PATIENT),
            (f"{TRIES} tries, 20 ms apart", AT_ONCE),
            (f"{TRIES} tries, exponential back-off", BACK_OFF),
            (f"{TRIES} tries, exponential back-off and jitter", JITTER),
        )
    ],
    "lag": [
        *(_step(f"ready after {ready:.0f} s, target 60%", ready) for ready in (15.0, 90.0, 300.0)),
        _step("ready after 90 s, target 40%", 90.0, target=0.4),
    ],
    "day": [
        _day("six replicas all day", 6, None),
        _day("scaled, ready after 90 s", 3, _scaled(DAY_SCALE, every_s=60.0)),
        _day("scaled, ready after 10 minutes", 3, _scaled(DAY_SCALE, every_s=60.0, ready_s=600.0)),
    ],
}
"""Rows by scenario. Capacity is that of three replicas with one worker each."""


def capacity_of(times: Times, replicas: int = 3) -> float:
    """Requests of `TEXTS` texts that such a fleet answers a second at most."""
    return replicas * predict_saturation(times, Server(1, TEXTS), CONNECTIONS, seed=0)


def simulate(variant: Variant, times: Times, capacity: float, seed: int) -> Outcome:
    """One run of a variant, the same for the same seed."""
    env = simpy.Environment()
    fleet = Fleet(env, times, variant.shape, seed)
    outcome = Outcome()
    clients = OpenClients(
        env,
        fleet.send,
        outcome,
        texts=TEXTS,
        rng=random.Random(f"{seed}/clients"),
        retry=variant.retry,
        delay_s=times.delay_s,
    )
    clients.run(variant.load(capacity, random.Random(f"{seed}/arrivals")), variant.seconds)
    if variant.scaling is not None:
        Autoscaler(fleet, variant.scaling)
    if variant.zone_lost:
        env.timeout(EVENT_S).callbacks.append(lambda _: fleet.lose_zone(0))
    env.run(variant.seconds)
    outcome.machine_hours = fleet.machine_hours * variant.scale
    env.run(variant.seconds + DRAIN_S)
    return outcome
