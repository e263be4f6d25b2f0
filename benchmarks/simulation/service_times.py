"""Service times of one worker, as `python -m benchmarks.simulation measure` found them.

The mean time of a batch is linear in its texts, and a request costs the event loop the same whatever it holds; the
spread is drawn from measured requests of about the same length.
"""

import random
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from pydantic import Field

from benchmarks.simulation.core import Frozen, Machine

CALIBRATION = Path(__file__).resolve().parents[1] / "results" / "simulation-calibration.json"
"""Service times of the last measurement."""

RARE = 0.01
"""Share of requests that `Spread` keeps apart, so that a pause of the machine is neither lost nor too frequent."""


READING = 2 / 3
"""Part of a request's cost that is spent before its texts are computed. The sum alone is measured; a third or nine
tenths in place of two thirds change a predicted p99 by 9% at most (docs/design/0045-simulation.md)."""


class Spread(Frozen):
    """Measured times of one kind of request over their median, as ratios of its batch.

    Attributes:
        seconds: the batch's processor time.
        usual: the quickest 99%, in equal steps.
        rare: the slowest 1%, in equal steps.
    """

    seconds: float
    usual: list[float]
    rare: list[float]

    def draw(self, rng: random.Random) -> float:
        """One of the measured ratios, each as often as it was seen."""
        return rng.choice(self.rare if rng.random() < RARE else self.usual)


class Waking(Frozen):
    """Time that a request takes longer than one that follows another at once.

    Attributes:
        texts: of the request.
        idle_s: time for which the worker had nothing to do before.
        seconds: measured, in equal steps.
    """

    texts: int
    idle_s: float
    seconds: list[float]


class GeneratorCosts(Frozen):
    """Processor time of the load generator.

    Attributes:
        send_s, read_s: of a request that it sends, and of an answer that it reads.
        look_s: of a nap and a look for answers, beside those that it reads.
    """

    send_s: float = 0.0
    read_s: float = 0.0
    look_s: float = 0.0


class Calibration(Frozen):
    """Costs of one worker on one core.

    Attributes:
        date, machine: of the measurement.
        load_average: of the machine before: processes that wanted a core, above 0.3 where others worked on it.
        version: of the checkpoint.
        tokens_per_text: mean of the texts that were sent.
        batch_s, request_s, text_s: processor time of a batch, and of each request and text in it.
        handed_over_s: what a batch costs more that is handed over to the device thread.
        refusal_s: processor time of a request that is refused, by texts a request.
        delay_s: from the client to the worker and back where nothing waits, beside what either of them computes.
        spreads: by length of the batch, ascending.
        wakings: by texts and idle time.
        generator: by texts a request.
        core: its pauses and waits, without a server.
    """

    date: str
    machine: str
    load_average: float
    version: str
    tokens_per_text: float
    batch_s: float
    request_s: float
    text_s: float
    refusal_s: dict[int, float]
    delay_s: float
    spreads: list[Spread]
    handed_over_s: float = 0.0
    wakings: tuple[Waking, ...] = ()
    generator: dict[int, GeneratorCosts] = Field(default_factory=dict)
    core: Machine = Machine()


@dataclass(frozen=True)
class ServiceTimes:
    """Times of batches, requests and refusals, drawn from a calibration."""

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

    @property
    def machine(self) -> Machine:
        """Pauses and waits of a core."""
        return self.calibration.core

    def batch_s(self, texts: int, handed_over: bool, rng: random.Random) -> float:
        """Time of one batch: its mean times the ratio of a measured one of about that length."""
        costs = self.calibration
        seconds = costs.batch_s + texts * costs.text_s + handed_over * costs.handed_over_s
        at = min(bisect_left(self._borders, seconds), len(costs.spreads) - 1)
        return seconds * costs.spreads[at].draw(rng)

    def reading_s(self, requests: int) -> float:
        """Processor time to read requests and to admit them."""
        return requests * READING * self.calibration.request_s

    def answering_s(self, requests: int) -> float:
        """Processor time to answer requests."""
        return requests * (1 - READING) * self.calibration.request_s

    def waking_s(self, texts: int, idle_s: float, rng: random.Random) -> float:
        """Time that a request takes longer after an idle time, of the measured kind that is nearest in ratio."""
        found = [waking for waking in self.calibration.wakings if idle_s > waking.idle_s / 2]
        if not found:
            return 0.0
        nearest = max(found, key=lambda waking: (-abs(waking.texts - texts), waking.idle_s))
        return rng.choice(nearest.seconds)

    def generator(self, texts: int) -> GeneratorCosts:
        """Costs of the load generator, of the measured size of request that is nearest."""
        known = self.calibration.generator
        return known[min(known, key=lambda size: abs(size - texts))] if known else GeneratorCosts()

    def refusal_s(self, texts: int) -> float:
        """Processor time of a refusal, of the measured size of request that is nearest."""
        known = self.calibration.refusal_s
        return known[min(known, key=lambda size: abs(size - texts))]

    def tokens(self, texts: int) -> int:
        """Tokens of so many texts of mean length."""
        return max(1, round(texts * self.calibration.tokens_per_text))

    @cached_property
    def _borders(self) -> list[float]:
        """Geometric means of neighbouring lengths: a batch belongs to the spread that is nearest in ratio."""
        lengths = [spread.seconds for spread in self.calibration.spreads]
        return [(a * b) ** 0.5 for a, b in pairwise(lengths)]
