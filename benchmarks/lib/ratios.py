"""Summaries of figures taken in turns: median, range, and a floor for the median."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Ratios of several rounds.

    >>> print(Spread.of([6, 8, 10], [2, 2, 2]))
    4.00 (3.00 to 5.00)
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Spread":
        """Ratios of each round, ours over theirs: noise that slows a round slows both."""
        ratios = [a / b if b else math.inf for a, b in zip(ours, theirs, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    def __str__(self) -> str:
        digits = 2 if self.median >= 0.1 else 4
        return f"{self.median:.{digits}f} ({self.least:.{digits}f} to {self.most:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Check:
    """A ratio that must not fall below its floor.

    >>> print(Check("engine", Spread(4.0, 3.0, 5.0), 5.0))
    engine: 4.00 (3.00 to 5.00), floor 5: TOO SLOW
    """

    name: str
    ratio: Spread
    floor: float

    @property
    def holds(self) -> bool:
        """True if the median is at or above the floor."""
        return self.ratio.median >= self.floor

    def __str__(self) -> str:
        return f"{self.name}: {self.ratio}, floor {self.floor:g}: {'holds' if self.holds else 'TOO SLOW'}"


def growth(costs: Sequence[float]) -> float:
    """By how much a cost rises above the least before it, as a share: 0 if it never does.

    That a fixed cost is spread over more and more work is no growth.

    >>> growth([5, 2, 2.5, 1]), growth([3, 2, 1])
    (0.25, 0.0)
    """
    worst, least = 0.0, costs[0]
    for cost in costs:
        least = min(least, cost)
        worst = max(worst, cost / least - 1)
    return worst
