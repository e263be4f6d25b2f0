"""Counters, histograms and gauges that cost little and add up over processes.

Those of prometheus_client take a lock and 1 to 4 µs a change, and a request makes a dozen of them. These are changed by
the event loop only, in a third of a microsecond; prometheus_client still writes what Prometheus reads.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.core.shared import Labels, Snapshot, Values

Combine = Callable[[Iterable[float]], float]


class Counter:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Adds."""
        self.value += amount

    def read(self) -> Values:
        """For a snapshot."""
        return [self.value]


class Histogram:
    """How often a value fell between which bounds, each of which belongs to the bucket below it."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0.0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add(self, counts: Iterable[float], total: float) -> None:
        """Adds many values at once: how many fell into each bucket, the last one without a bound, and their sum."""
        for place, count in enumerate(counts):
            self._counts[place] += count
        self._sum += total

    def read(self) -> Values:
        """For a snapshot."""
        return [self._sum, *self._counts]


class Gauge:
    """A number that is asked for at each scrape."""

    __slots__ = ("watch",)

    def __init__(self) -> None:
        self.watch: Callable[[], float] = float

    def read(self) -> Values:
        """For a snapshot."""
        return [float(self.watch())]


Child = TypeVar("Child", Counter, Histogram, Gauge)


@dataclass
class Family(Generic[Child]):
    """Tallies of one name, told apart by labels.

    Attributes:
        name: without the `_total` of a counter.
        make: one tally.
        bounds: of a histogram's buckets.
        combine: makes one number of those that several processes have.
    """

    kind: Literal["counter", "histogram", "gauge"]
    name: str
    help: str
    labels: Labels
    make: Callable[[], Child]
    bounds: Sequence[float] = ()
    combine: Combine = sum
    _children: dict[Labels, Child] = field(default_factory=dict)

    def of(self, *labels: str) -> Child:
        """The tally with these labels."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self.make()
        return child

    def forget(self, first: str) -> None:
        """Drops the tallies whose first label this is. Not for counters, which must not go down."""
        self._children = {labels: child for labels, child in self._children.items() if labels[0] != first}

    def read(self) -> list[tuple[Labels, Values]]:
        """For a snapshot."""
        return [(labels, child.read()) for labels, child in self._children.items()]

    def metric(self, snapshots: Sequence[Snapshot]) -> Metric:
        """Over all processes, as prometheus_client writes it."""
        found: dict[Labels, list[Values]] = {}
        for snapshot in snapshots:
            for labels, values in snapshot.get(self.name, ()):
                found.setdefault(tuple(labels), []).append(values)
        metric: Any = _METRICS[self.kind](self.name, self.help, labels=self.labels)
        for labels, each in found.items():
            first, *counts = (self.combine(column) for column in zip(*each, strict=True))
            if self.kind == "histogram":
                bounds = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
                metric.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), first)
            else:
                metric.add_metric(labels, first)
        return metric  # type: ignore[no-any-return]


_METRICS = {"counter": CounterMetricFamily, "histogram": HistogramMetricFamily, "gauge": GaugeMetricFamily}


class Tallies:
    """All families of one process."""

    def __init__(self) -> None:
        self._families: list[Family[Any]] = []

    @property
    def families(self) -> Sequence[Family[Any]]:
        """All, in the order in which they were made."""
        return self._families

    def counter(self, name: str, help: str, *labels: str) -> Family[Counter]:
        """A family of counters."""
        return self._add(Family("counter", name, help, labels, Counter))

    def histogram(self, name: str, help: str, *labels: str, bounds: Sequence[float]) -> Family[Histogram]:
        """A family of histograms."""
        return self._add(Family("histogram", name, help, labels, lambda: Histogram(bounds), bounds))

    def gauge(self, name: str, help: str, *labels: str, combine: Combine = sum) -> Family[Gauge]:
        """A family of gauges."""
        return self._add(Family("gauge", name, help, labels, Gauge, combine=combine))

    def snapshot(self) -> Snapshot:
        """All values. Call it on the event loop."""
        return {family.name: family.read() for family in self._families}

    def split(self, snapshot: Snapshot) -> tuple[Snapshot, Snapshot]:
        """What remains when the process is gone, and its gauges, which do not."""
        gauges = {family.name for family in self._families if family.kind == "gauge"}
        counts = {name: values for name, values in snapshot.items() if name not in gauges}
        return counts, {name: snapshot[name] for name in gauges}

    def render(self, snapshots: Sequence[Snapshot]) -> bytes:
        """What Prometheus reads, of the snapshots of all processes; takes milliseconds."""
        registry = CollectorRegistry()
        registry.register(_Collector([family.metric(snapshots) for family in self._families]))
        return generate_latest(registry)

    def _add(self, family: Family[Child]) -> Family[Child]:
        self._families.append(family)
        return family


class _Collector(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
