"""Successive halving: many settings are tried shortly, the better of them longer, the best in full.

Source: Jamieson & Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (successive
halving), with settings drawn at random as in Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to
Hyperparameter Optimization"; in the form of Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning",
algorithm 2 (ASHA): a setting goes up as soon as it is among the best third of those tried so far, and no rung waits to
be full. So the search can stop at any time, and what comes next follows from the trials so far alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.config import Frozen

FACTOR = 3
"""One in `FACTOR` settings goes up, and is trained `FACTOR` times as long (η of the sources, who take 3 or 4)."""

MAX_RUNGS = 3

AS_GIVEN = 0
"""Number of the settings that the call gave; those drawn count from 1."""


class Trial(Frozen):
    """A finished training with some settings.

    Attributes:
        number: of its settings.
        rung: how high it stands, from 0; the highest is a training in full.
        epochs: that it was given, its learning rate falling to the floor at their end.
        settings: those that were drawn, by dotted key.
        score: the metric on validation, of the model as `train` would publish it.
        seconds: from texts to score.
        diverged: a gradient was not finite; there is no model, the score is 0, and these settings are not tried again.
    """

    number: int
    rung: int
    epochs: int
    settings: dict[str, Any]
    score: float
    seconds: float
    diverged: bool = False


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """A trial to come: the settings of this number, trained as long as this rung says."""

    number: int
    rung: int


def count_rungs(epochs: int) -> int:
    """The number of rungs where a training in full takes `epochs`: none has less than one epoch.

    >>> [count_rungs(epochs) for epochs in (1, 2, 3, 8, 9, 100)]
    [1, 1, 2, 2, 3, 3]
    """
    return sum(FACTOR**rung <= epochs for rung in range(MAX_RUNGS))


def epochs_on(rung: int, *, num_rungs: int, epochs: int) -> int:
    """Epochs of a trial on a rung, of a training of `epochs` in full.

    >>> [epochs_on(rung, num_rungs=3, epochs=10) for rung in range(3)]
    [1, 3, 10]
    """
    share = float(FACTOR) ** (rung + 1 - num_rungs)
    return max(1, round(epochs * share))


def plan_next(trials: Sequence[Trial], num_rungs: int) -> PlannedTrial:
    """Plans the trial after these: first the settings as given, in full; then by successive halving."""
    if not trials:
        return PlannedTrial(AS_GIVEN, num_rungs - 1)
    drawn = [trial for trial in trials if trial.number != AS_GIVEN]
    for rung in reversed(range(num_rungs - 1)):
        ranked = sorted((t for t in drawn if t.rung == rung), key=lambda t: (-t.score, t.number))
        above = {t.number for t in drawn if t.rung == rung + 1}
        for trial in ranked[: len(ranked) // FACTOR]:
            if trial.number not in above and not trial.diverged:
                return PlannedTrial(trial.number, rung + 1)
    return PlannedTrial(1 + max((trial.number for trial in drawn), default=AS_GIVEN), 0)


def best_of(trials: Sequence[Trial], num_rungs: int) -> Trial | None:
    """The best of those trained in full, the earliest of equals; None if there is none."""
    in_full = [trial for trial in trials if trial.rung == num_rungs - 1 and not trial.diverged]
    return max(in_full, key=lambda trial: trial.score, default=None)
