"""What a search for settings found: every trial, the best of them, and a table."""

import math
from typing import Any

from training.artifacts.results import Results
from training.experiments.halving import AS_GIVEN, Trial, best_of
from training.fit.progress import format_duration
from training.metrics.scores import Metric


class Tuning(Results):
    """`tuning.json`; its command makes the same again as far as it gets in its time.

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
        """What the trials took."""
        return math.fsum(trial.seconds for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The best of those trained in full; None before the first of them."""
        return best_of(self.trials, self.num_rungs)


def describe_settings(trial: Trial) -> str:
    """What distinguishes a trial, in a line."""
    if trial.number == AS_GIVEN:
        return "as given"
    return ", ".join(f"{key} {value}" for key, value in trial.settings.items())


def describe_best(tuning: Tuning) -> list[str]:
    """How the search ended, for a person."""
    best = tuning.best
    if best is None:
        return ["not even the training with the settings as given was finished: nothing was compared"]
    given = tuning.trials[0].score
    in_full = sum(trial.rung == tuning.num_rungs - 1 for trial in tuning.trials)
    lines = [
        f"{len(tuning.trials)} trials, {in_full} of them in full, in {format_duration(tuning.seconds)}",
        f"best: trial {best.number}, validation {tuning.metric} {best.score:.4f} (as given {given:.4f})",
        f"its settings: {describe_settings(best)}",
    ]
    if in_full == 1:
        lines.append(
            f"nothing but the settings as given was trained in full: give several times the "
            f"{format_duration(tuning.trials[0].seconds)} that this took (--resume --budget-s SECONDS)"
        )
    return lines


def write_markdown(tuning: Tuning) -> str:
    """The trials, longest and then best first, with what is needed to judge and repeat them."""
    ranked = sorted(tuning.trials, key=lambda trial: (-trial.rung, -trial.score, trial.number))
    table = [
        f"| trial | epochs | validation {tuning.metric} | time | settings |",
        "| ---: | ---: | ---: | ---: | --- |",
    ]
    table += [
        f"| {trial.number} | {trial.epochs} | {trial.score:.4f} | {format_duration(trial.seconds)} "
        f"| {describe_settings(trial)} |"
        for trial in ranked
    ]
    notes = [
        *describe_best(tuning),
        "Scores are of validation, which also chose: the best of many is flattered. Those of as many epochs compare.",
        *(f"Mind: {warning}." for warning in tuning.warnings),
    ]
    parts = ", ".join(f"{role} `{file.file}` ({file.rows:,})" for role, file in tuning.data.items())
    made = (
        f"{tuning.created}, {tuning.machine}, {tuning.device}, threads: {tuning.threads}; "
        f"Sluice {tuning.code['version'] or 'unknown'} ({tuning.code['commit'] or 'no commit'})."
    )
    sections = ["\n".join(table), "\n".join(f"- {note}" for note in notes), f"```sh\n{tuning.command}\n```"]
    return "\n\n".join([*sections, f"{made} Texts: {parts}."]) + "\n"
