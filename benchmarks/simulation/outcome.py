"""Figures of one simulated run: latency, refusals, losses, machine-hours."""

from collections import Counter
from dataclasses import dataclass, field

from benchmarks.lib.load_generator import percentile
from benchmarks.simulation.worker import Status


@dataclass
class Outcome:
    """Ends of all requests of a run, by when they were due.

    Attributes:
        from_s: requests due before count as tries only.
        tries: requests that left, those that tried again included.
        failed_tries: tries without an answer.
        statuses: requests by how they ended, after all tries.
        latencies: seconds from when a request was due to its answer.
        machine_hours: of all replicas.
        by_second: requests answered and not answered, by the second in which they were due.
    """

    from_s: float = 0.0
    tries: int = 0
    failed_tries: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    machine_hours: float = 0.0
    by_second: dict[int, list[int]] = field(default_factory=dict)

    def add(self, due: float, status: Status, seconds: float) -> None:
        """Counts a request that has ended."""
        if due < self.from_s:
            return
        self.statuses[status] += 1
        answered = status is Status.ANSWERED
        if answered:
            self.latencies.append(seconds)
        self.by_second.setdefault(int(due), [0, 0])[not answered] += 1

    @property
    def requests(self) -> int:
        """Requests that have ended."""
        return self.statuses.total()

    def share(self, status: Status) -> float:
        """Part of the requests that ended so, 0 to 1."""
        return self.statuses[status] / max(1, self.requests)

    @property
    def amplification(self) -> float:
        """Tries for each request."""
        return self.tries / max(1, self.requests)

    def percentile_s(self, percent: float) -> float:
        """Latency that so many percent of the answered requests do not exceed; NaN without any."""
        return percentile(self.latencies, percent)

    def recovery_s(self, after: float, answered: float = 0.99) -> float:
        """Time from `after` to the end of the last second in which fewer than that share were answered; 0 if none."""
        bad = [second for second, (good, failed) in self.by_second.items() if good < answered * (good + failed)]
        return max(0.0, max(bad, default=-1) + 1 - after)
