"""An autoscaler by utilisation, as Kubernetes' HorizontalPodAutoscaler, whose replicas take time to be ready."""

import math
from collections import deque
from dataclasses import dataclass

from simpy.events import ProcessGenerator

from benchmarks.simulation.fleet import Fleet


@dataclass(frozen=True)
class Scaling:
    """Settings of an autoscaler.

    Attributes:
        least, most: replicas.
        target: utilisation of a core that it aims at, 0 to 1.
        every_s: time between two decisions.
        ready_s: time from asking for a replica to its first request: node, image, start.
        calm_s: a replica is given back when so long none has been needed.
    """

    least: int
    most: int
    target: float = 0.6
    every_s: float = 15.0
    ready_s: float = 90.0
    calm_s: float = 300.0


class Autoscaler:
    """Starts and removes replicas of a fleet.

    As there, replicas wanted = replicas ready × utilisation / target, rounded up, nothing changes within 10% of the
    target, and the most that was wanted in `calm_s` decides on giving back.
    """

    TOLERANCE = 0.1

    def __init__(self, fleet: Fleet, scaling: Scaling) -> None:
        self._fleet, self._scaling = fleet, scaling
        self._wanted: deque[tuple[float, int]] = deque()
        self._busy_s: dict[int, float] = {}
        fleet.env.process(self._run())

    def _run(self) -> ProcessGenerator:
        while True:
            yield self._fleet.env.timeout(self._scaling.every_s)
            self._decide()

    def _decide(self) -> None:
        now, fleet, scaling = self._fleet.env.now, self._fleet, self._scaling
        wanted = self._count_wanted()
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - scaling.calm_s:
            self._wanted.popleft()
        for _ in range(wanted - fleet.running):
            fleet.env.process(self._start())
        most = max(count for _, count in self._wanted)
        for _ in range(fleet.running - most):
            if len(fleet.ready) > scaling.least:
                fleet.remove(fleet.ready[-1])

    def _count_wanted(self) -> int:
        """Replicas that bring the utilisation to its target."""
        fleet, scaling = self._fleet, self._scaling
        alive = [replica for replica in fleet.ready if replica.alive]
        spent = {id(replica): replica.busy_s for replica in alive}
        fresh = sum(seconds - self._busy_s.get(key, 0.0) for key, seconds in spent.items())
        self._busy_s = spent
        utilisation = fresh / (scaling.every_s * fleet.shape.workers * max(1, len(alive)))
        ratio = utilisation / scaling.target
        wanted = len(alive) if abs(ratio - 1) <= self.TOLERANCE else math.ceil(len(alive) * ratio)
        return max(scaling.least, min(scaling.most, wanted))

    def _start(self) -> ProcessGenerator:
        replica = self._fleet.start()
        yield self._fleet.env.timeout(self._scaling.ready_s)
        if replica.alive:
            self._fleet.ready.append(replica)
