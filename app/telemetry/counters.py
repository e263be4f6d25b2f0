"""Counters, histograms and gauges that cost little and add up over processes.

Those of prometheus_client take a lock and 1 to 4 µs a change, and a request makes a dozen of them. These are changed by
the event loop only, in a third of a microsecond; prometheus_client still writes what Prometheus reads.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.telemetry.families import FAMILIES, Family

Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = list[float]
Snapshot: TypeAlias = dict[str, list[tuple[Labels, Values]]]
"""By family and labels: a counter's or gauge's value, or a histogram's sum and the count of each bucket."""

Totals: TypeAlias = dict[str, dict[Labels, Values]]
"""The same over all processes."""


class Counter:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self, _buckets: Sequence[float] = ()) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Adds an amount, 0 or more."""
        self.value += amount

    def read(self) -> Values:
        """Values for a snapshot."""
        return [self.value]


class Histogram:
    """Counts of values by bucket, and their sum."""

    __slots__ = ("_buckets", "_counts", "_sum")

    def __init__(self, buckets: Sequence[float]) -> None:
        self._buckets = buckets
        self._counts = [0.0] * (len(buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts a value in its bucket."""
        self._counts[bisect_left(self._buckets, value)] += 1
        self._sum += value

    def observe_array(self, values: npt.NDArray[np.float64]) -> None:
        """Counts each value of a vector in its bucket."""
        places = np.searchsorted(self._buckets, values)
        self.observe_many(np.bincount(places, minlength=len(self._counts)).tolist(), float(values.sum()))

    def observe_many(self, counts: Iterable[float], total: float) -> None:
        """Counts many values by the number in each bucket, the last one without a bound, and their sum."""
        for place, count in enumerate(counts):
            self._counts[place] += count
        self._sum += total

    def read(self) -> Values:
        """Values for a snapshot."""
        return [self._sum, *self._counts]


class Gauge:
    """A number that goes up and down, or a function that gives it at each scrape."""

    __slots__ = ("_function",)

    def __init__(self, _buckets: Sequence[float] = ()) -> None:
        self._function: Callable[[], float] = float

    def set(self, value: float) -> None:
        """Shows this number from now on."""
        self._function = lambda: value

    def set_function(self, function: Callable[[], float]) -> None:
        """Asks a function for the number from now on; it runs on the event loop."""
        self._function = function

    def read(self) -> Values:
        """Values for a snapshot."""
        return [float(self._function())]


Child = TypeVar("Child", Counter, Histogram, Gauge)


class Series(Generic[Child]):
    """All counters, histograms or gauges of one family, by the values of its labels."""

    def __init__(self, family: Family, child: type[Child]) -> None:
        self.family = family
        self.child: type[Child] = child
        self._children: dict[Labels, Child] = {}

    def labels(self, *values: str) -> Child:
        """The one with these values, which is made if there is none. Hold it where it is changed often."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self.child(self.family.buckets)
        return child

    def forget(self, first: str) -> None:
        """Drops those whose first label this is. Not for counters, which must not go down."""
        self._children = {values: child for values, child in self._children.items() if values[0] != first}

    def clear(self) -> None:
        """Drops all, so that they can be set anew. Not for counters."""
        self._children = {}

    def read(self) -> list[tuple[Labels, Values]]:
        """Labels and values for a snapshot."""
        return [(values, child.read()) for values, child in self._children.items()]


_KINDS: dict[str, tuple[Any, Any]] = {
    "counter": (Counter, CounterMetricFamily),
    "histogram": (Histogram, HistogramMetricFamily),
    "gauge": (Gauge, GaugeMetricFamily),
}


class SeriesTable:
    """Series of every family, in one process.

    Args:
        families: rows of the table.
    """

    def __init__(self, families: Sequence[Family] = FAMILIES) -> None:
        self._series: dict[str, Series[Any]] = {row.name: Series(row, _KINDS[row.kind][0]) for row in families}

    def counter(self, name: str) -> Series[Counter]:
        """Counters of a family."""
        return self._of(name, Counter)

    def histogram(self, name: str) -> Series[Histogram]:
        """Histograms of a family."""
        return self._of(name, Histogram)

    def gauge(self, name: str) -> Series[Gauge]:
        """Gauges of a family."""
        return self._of(name, Gauge)

    def snapshot(self) -> Snapshot:
        """All values. Call it on the event loop."""
        return {name: series.read() for name, series in self._series.items()}

    def render(self, snapshots: Sequence[Snapshot]) -> bytes:
        """Text for Prometheus, of the snapshots of all processes; takes milliseconds."""
        return generate_latest(_Collected([_metric(series.family, snapshots) for series in self._series.values()]))

    def totals(self, snapshots: Sequence[Snapshot]) -> Totals:
        """Values over all processes."""
        return {name: _combined(series.family, snapshots) for name, series in self._series.items()}

    def _of(self, name: str, child: type[Child]) -> Series[Child]:
        series: Series[Child] = self._series[name]
        assert series.child is child  # noqa: S101  # a slip of ours
        return series


def _metric(family: Family, snapshots: Sequence[Snapshot]) -> Metric:
    """One family over all processes, as prometheus_client writes it."""
    metric: Any = _KINDS[family.kind][1](family.name, family.help, labels=family.labels)
    for labels, (first, *counts) in _combined(family, snapshots).items():
        if family.kind == "histogram":
            bounds = [*(str(float(bound)) for bound in family.buckets), "+Inf"]
            metric.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), first)
        else:
            metric.add_metric(labels, first)
    return metric  # type: ignore[no-any-return]


def _combined(family: Family, snapshots: Sequence[Snapshot]) -> dict[Labels, Values]:
    found: dict[Labels, list[Values]] = {}
    for snapshot in snapshots:
        for labels, values in snapshot.get(family.name, ()):
            found.setdefault(tuple(labels), []).append(values)
    return {labels: [family.combine(column) for column in zip(*each, strict=True)] for labels, each in found.items()}


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
