"""Service times of one worker, as `python -m benchmarks.simulation measure` found them.

A turn is one round of a worker: it reads requests, tokenises and computes the texts of a batch, and writes answers. Its
mean time is linear in requests and texts; its spread is drawn from measured turns of about the same length.
"""

import random
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict

CALIBRATION = Path(__file__).resolve().parents[1] / "results" / "simulation-calibration.json"
"""Service times of the last measurement."""

RARE = 0.01
"""Share of turns that `Spread` keeps apart, so that a pause of the machine is neither lost nor too frequent."""


class Frozen(BaseModel):
    """A record that is written as JSON and read again."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(Frozen):
    """Measured times of one kind of turn over their median.

    Attributes:
        seconds: the turn's processor time.
        usual: the quickest 99%, in equal steps.
        rare: the slowest 1%, in equal steps.
    """

    seconds: float
    usual: list[float]
    rare: list[float]

    def draw(self, rng: random.Random) -> float:
        """One of the measured ratios, each as often as it was seen."""
        return rng.choice(self.rare if rng.random() < RARE else self.usual)


class Calibration(Frozen):
    """Costs of one worker on one core.

    Attributes:
        date, machine: of the measurement.
        load_average: of the machine before: processes that wanted a core, above 0.3 where others worked on it.
        version: of the checkpoint.
        tokens_per_text: mean of the texts that were sent.
        turn_s, request_s, text_s: processor time that a turn costs, and each request and text in it.
        refusal_s: processor time of a request that is refused, by texts a request.
        delay_s: from the client to the worker and back where nothing waits; costs the worker nothing.
        spreads: by length of the turn, ascending.
    """

    date: str
    machine: str
    load_average: float
    version: str
    tokens_per_text: float
    turn_s: float
    request_s: float
    text_s: float
    refusal_s: dict[int, float]
    delay_s: float
    spreads: list[Spread]


@dataclass(frozen=True)
class ServiceTimes:
    """Times of turns and refusals, drawn from a calibration."""

    calibration: Calibration

    @classmethod
    def read(cls, path: Path = CALIBRATION) -> "ServiceTimes":
        """The service times in a file that `measure` wrote.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: it is no calibration.
        """
        return cls(Calibration.model_validate_json(path.read_text("utf-8")))

    @property
    def delay_s(self) -> float:
        """Time on the way to an idle worker and back."""
        return self.calibration.delay_s

    def mean_s(self, requests: int, texts: int) -> float:
        """Processor time of a turn with so many requests and texts."""
        costs = self.calibration
        return costs.turn_s + requests * costs.request_s + texts * costs.text_s

    def draw_s(self, requests: int, texts: int, rng: random.Random) -> float:
        """Time of one turn: its mean times the ratio of a measured turn of about that length."""
        seconds = self.mean_s(requests, texts)
        spreads = self.calibration.spreads
        at = min(bisect_left(self._borders, seconds), len(spreads) - 1)
        return seconds * spreads[at].draw(rng)

    def refusal_s(self, texts: int) -> float:
        """Processor time of a refusal, of the measured size of request that is nearest."""
        known = self.calibration.refusal_s
        return known[min(known, key=lambda size: abs(size - texts))]

    def tokens(self, texts: int) -> int:
        """Tokens of so many texts of mean length."""
        return max(1, round(texts * self.calibration.tokens_per_text))

    @cached_property
    def _borders(self) -> list[float]:
        """Geometric means of neighbouring lengths: a turn belongs to the spread that is nearest in ratio."""
        lengths = [spread.seconds for spread in self.calibration.spreads]
        return [(a * b) ** 0.5 for a, b in pairwise(lengths)]
