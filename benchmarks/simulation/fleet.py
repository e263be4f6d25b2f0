"""Replicas of several workers behind a balancer, in simulated time."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import simpy
from simpy.events import ProcessGenerator

from benchmarks.simulation.worker import Bounds, Request, Status, Times, Worker

Choose = Callable[[list["Replica"], random.Random], "Replica"]
"""Rule of a balancer: which of the replicas gets the next request."""


def least_under_way(replicas: list["Replica"], rng: random.Random) -> "Replica":
    """The replica with the fewest requests under way, among equals any."""
    counts = [replica.under_way for replica in replicas]
    fewest = min(counts)
    return rng.choice([replica for replica, count in zip(replicas, counts, strict=True) if count == fewest])


def at_random(replicas: list["Replica"], rng: random.Random) -> "Replica":
    """Any of the replicas, each as often."""
    return rng.choice(replicas)


class Replica:
    """A machine, or a share of one, with workers behind one socket; the kernel gives a connection to any of them.

    Attributes:
        zone: number of the zone in which it stands.
        since: time from which it is paid for.
        workers: on a core each.
    """

    def __init__(self, zone: int, since: float, workers: list[Worker]) -> None:
        self.zone, self.since, self.workers = zone, since, workers

    @property
    def alive(self) -> bool:
        """True until it is stopped."""
        return self.workers[0].alive

    @property
    def under_way(self) -> int:
        """Requests sent to it and not ended."""
        return sum([worker.under_way for worker in self.workers])

    @property
    def busy_s(self) -> float:
        """Time that its workers have spent."""
        return sum(worker.busy_s for worker in self.workers)

    def take(self, request: Request, rng: random.Random) -> None:
        """Gives a request to one of the workers."""
        rng.choice(self.workers).take(request)


@dataclass
class Shape:
    """A fleet of `replicas` with `workers` each, spread over `zones`.

    Attributes:
        choose: rule of the balancer.
        notice_s: time until the balancer stops sending to a replica that is gone.
        bounds: of each worker.
    """

    replicas: int
    workers: int = 1
    zones: int = 3
    choose: Choose = least_under_way
    notice_s: float = 5.0
    bounds: Bounds = field(default_factory=Bounds)


class Fleet:
    """The replicas, the balancer in front of them, and the machine-hours that they cost.

    Args:
        env: simulated time.
        times: service times of a worker.
        shape: at the start.
        seed: of all draws.

    Attributes:
        ready: replicas to which the balancer sends.
    """

    def __init__(self, env: simpy.Environment, times: Times, shape: Shape, seed: int) -> None:
        self.env, self.times, self.shape = env, times, shape
        self.ready: list[Replica] = []
        self._seed, self._rng = seed, random.Random(f"{seed}/balancer")
        self._started, self._paid_s = 0, 0.0
        self._running: list[Replica] = []
        for _ in range(shape.replicas):
            self.ready.append(self.start())

    @property
    def running(self) -> int:
        """Replicas that are paid for, ready or not."""
        return len(self._running)

    @property
    def machine_hours(self) -> float:
        """Hours of all replicas so far, from when each was asked for."""
        now = self.env.now
        return (self._paid_s + sum(now - replica.since for replica in self._running)) / 3600

    def start(self) -> Replica:
        """A new replica in the zone that has the fewest; not `ready` by itself."""
        counts = [sum(replica.zone == zone for replica in self._running) for zone in range(self.shape.zones)]
        zone, number = counts.index(min(counts)), self._started
        self._started += 1
        workers = [
            Worker(self.env, self.times, random.Random(f"{self._seed}/{number}/{place}"), self.shape.bounds)
            for place in range(self.shape.workers)
        ]
        replica = Replica(zone, self.env.now, workers)
        self._running.append(replica)
        return replica

    def remove(self, replica: Replica) -> None:
        """Sends nothing more to a replica and pays for it no longer; what it has under way is answered."""
        if replica in self.ready:
            self.ready.remove(replica)
        self._running.remove(replica)
        self._paid_s += self.env.now - replica.since

    def lose_zone(self, zone: int) -> None:
        """Stops the replicas of a zone at once; the balancer notices `notice_s` later."""
        for replica in [replica for replica in self._running if replica.zone == zone]:
            for worker in replica.workers:
                worker.stop()
            self._running.remove(replica)
            self._paid_s += self.env.now - replica.since
        self.env.process(self._notice())

    def _notice(self) -> ProcessGenerator:
        yield self.env.timeout(self.shape.notice_s)
        self.ready = [replica for replica in self.ready if replica.alive]

    def send(self, request: Request) -> None:
        """Gives a request to a replica by the balancer's rule; it is lost where there is none."""
        if self.ready:
            self.shape.choose(self.ready, self._rng).take(request, self._rng)
        else:
            request.end(Status.LOST)
