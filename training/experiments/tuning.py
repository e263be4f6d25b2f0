"""The results of a search for settings: every trial, the best of them, and a table."""

import math
from typing import Any

from training.artifacts.results import Results
from training.experiments.halving import AS_GIVEN, Trial, best_of
from training.fit.progress import format_duration
from training.metrics.scores import Metric

FLATTERED = (
    "Scores are of validation, which also chose: the best of many is flattered. Those of as many epochs compare."
)


class Tuning(Results):
    """The contents of `tuning.json`; its command makes the same again as far as it gets in its time.

    Attributes:
        metric: what a trial is scored by.
        budget_s: seconds for all trials together.
        num_rungs: on how many rungs trials stand; the highest is a training in full.
        space: what is searched.
        trials: finished ones, in their order.
    """

    KIND = "search"
    FOUND = "trials"
    SAME = ("config", "space", "data", "device")

    metric: Metric
    budget_s: float
    num_rungs: int
    space: dict[str, Any]
    trials: tuple[Trial, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration of all trials together."""
        return math.fsum(trial.seconds for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The best of those trained in full; None before the first of them."""
        return best_of(self.trials, self.num_rungs)


def describe_settings(number: int, settings: dict[str, Any]) -> str:
    """The settings of a trial in a line."""
    return "as given" if number == AS_GIVEN else ", ".join(f"{key} {value}" for key, value in settings.items())


def describe_best(tuning: Tuning) -> list[str]:
    """Lines that tell a person how the search ended."""
    best = tuning.best
    if best is None:
        return ["not even the training with the settings as given was finished: nothing was compared"]
    given = tuning.trials[0]
    in_full = sum(trial.rung == tuning.num_rungs - 1 and not trial.diverged for trial in tuning.trials)
    lines = [
        f"{len(tuning.trials)} trials, {in_full} of them in full, in {format_duration(tuning.seconds)}",
        f"best: trial {best.number}, validation {tuning.metric} {best.score:.4f} (as given {given.score:.4f})",
        f"its settings: {describe_settings(best.number, best.settings)}",
    ]
    if in_full == 1:
        lines.append(
            "nothing but the settings as given was trained in full: give several times the "
            f"{format_duration(given.seconds)} that this took (--resume --budget-s SECONDS)"
        )
    return lines


def write_markdown(tuning: Tuning) -> str:
    """Writes the trials as Markdown, longest and then best first, with what is needed to repeat them."""
    columns = dict.fromkeys(("trial", "epochs", f"validation {tuning.metric}", "time"), "---:")
    rows = [
        [
            f"{trial.number}",
            f"{trial.epochs}",
            "diverged" if trial.diverged else f"{trial.score:.4f}",
            format_duration(trial.seconds),
            describe_settings(trial.number, trial.settings),
        ]
        for trial in sorted(tuning.trials, key=lambda trial: (-trial.rung, -trial.score, trial.number))
    ]
    return tuning.write_markdown(columns | {"settings": "---"}, rows, [*describe_best(tuning), FLATTERED])
