"""Scores of predictions: accuracy, F1 and confusion by scikit-learn, the rest by NumPy.

Shape suffixes: N texts, C labels, M answers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from model.config import Frozen, Task
from training.metrics.abstention import Abstention, abstention, risks
from training.metrics.calibration import (
    calibration_error,
    calibration_error_by_chance,
    calibration_error_equal_mass,
)
from training.metrics.decisions import Decisions, Floats, confidence, decide, one_hot
from training.metrics.intervals import Interval, intervals


class LabelScores(Frozen):
    """Scores of one label, 0 where undefined; `support` counts the texts that have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Scores(Frozen):
    """Scores of one labelled file.

    Attributes:
        rows: N.
        accuracy: share of texts with exactly the right label or, for multi-label, the right set of them.
        macro_f1: mean F1 of the labels that occur, in the texts or in the predictions.
        micro_f1: F1 over all decisions; equals accuracy for single-label.
        accuracy_interval, macro_f1_interval: 95% intervals; see `training/metrics/intervals.py`.
        ece, ece_equal_mass: expected calibration error, 0 to 1, in bins of equal width, or of equally many answers.
        ece_by_chance: the first of them if answers were right exactly as often as they are sure: what so few texts
            scatter.
        nll: negative log-likelihood in nats; of multi-label the mean over labels.
        brier: 0 to 2 for single-label; of multi-label the mean over labels, 0 to 1.
        majority: accuracy of always answering this file's commonest label (or set of labels).
        labels: one entry a label.
        confusion: rows are true, columns predicted labels; None for multi-label.
        bootstrap_seed: of the intervals.
        abstention: gain from leaving out the least sure answers, which for multi-label are those of `confidence`.
    """

    rows: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    micro_f1: float
    ece: float
    nll: float
    brier: float
    majority: float
    labels: tuple[LabelScores, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    bootstrap_seed: int
    ece_equal_mass: float | None = None
    ece_by_chance: float | None = None
    abstention: Abstention | None = None


class Uncalibrated(Frozen):
    """Figures at temperature 1, with labels given from a probability of 1/2."""

    ece: float
    ece_equal_mass: float
    nll: float
    brier: float
    aurc: float
    macro_f1: float


def score(
    probabilities_NC: Floats,
    truth_NC: Decisions,
    labels: Sequence[str],
    *,
    task: Task,
    thresholds: Sequence[float] | None = None,
    seed: int = 0,
) -> Scores:
    """Measures probabilities, N at least 1, against the truth; `thresholds` are those of a multi-label model."""
    chosen_NC = decide(probabilities_NC, task=task, thresholds_C=thresholds)
    sure_M, right_M = confidence(probabilities_NC, truth_NC, task=task)
    precision_C, recall_C, f1_C = precision_recall_f1(truth_NC, chosen_NC)
    support_C = truth_NC.sum(axis=0)
    accuracy_interval, macro_f1_interval = intervals(truth_NC, chosen_NC, seed=seed)
    return Scores(
        rows=len(truth_NC),
        accuracy=accuracy(truth_NC, chosen_NC),
        accuracy_interval=accuracy_interval,
        macro_f1=macro_f1(truth_NC, chosen_NC),
        macro_f1_interval=macro_f1_interval,
        micro_f1=micro_f1(truth_NC, chosen_NC),
        majority=float(np.unique(truth_NC, axis=0, return_counts=True)[1].max() / len(truth_NC)),
        labels=tuple(
            LabelScores(label=label, precision=p, recall=r, f1=f, support=s)
            for label, p, r, f, s in zip(labels, precision_C, recall_C, f1_C, support_C, strict=True)
        ),
        confusion=_confusion(truth_NC, chosen_NC) if task == "single_label" else None,
        bootstrap_seed=seed,
        abstention=abstention(sure_M, right_M),
        ece_by_chance=calibration_error_by_chance(sure_M),
        **_calibration(probabilities_NC, truth_NC, task),
    )


def score_uncalibrated(probabilities_NC: Floats, truth_NC: Decisions, *, task: Task) -> Uncalibrated:
    """Measures probabilities of temperature 1, N at least 1, labels given from 1/2."""
    return Uncalibrated(
        aurc=float(risks(*confidence(probabilities_NC, truth_NC, task=task))[0].mean()),
        macro_f1=macro_f1(truth_NC, decide(probabilities_NC, task=task)),
        **_calibration(probabilities_NC, truth_NC, task),
    )


def _calibration(probabilities_NC: Floats, truth_NC: Decisions, task: Task) -> dict[str, float]:
    """The figures of calibration, by their fields in `Scores` and `Uncalibrated`."""
    sure_M, right_M = confidence(probabilities_NC, truth_NC, task=task)
    return {
        "ece": calibration_error(sure_M, right_M),
        "ece_equal_mass": calibration_error_equal_mass(sure_M, right_M),
        "nll": float(losses(probabilities_NC, truth_NC, task=task).mean()),
        "brier": brier_score(probabilities_NC, truth_NC, task=task),
    }


Metric = Literal["accuracy", "macro_f1"]
"""Validation scores by which weights can be chosen."""


def measure(metric: Metric, task: Task) -> Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], float]:
    """A function of logits [N, C] and targets (places [N], or [N, C] in 0..1) to the metric."""
    return partial(_measured, {"accuracy": accuracy, "macro_f1": macro_f1}[metric], task)


def _measured(
    compute: Callable[[Decisions, Decisions], float],
    task: Task,
    logits_NC: npt.NDArray[np.float32],
    targets: npt.NDArray[Any],
) -> float:
    truth_NC = targets > 0.5 if targets.ndim == 2 else one_hot(targets, logits_NC.shape[1])
    return compute(truth_NC, decide(logits_NC, task=task, thresholds_C=0.0))  # a logit of 0 is a probability of 1/2


def accuracy(truth_NC: Decisions, chosen_NC: Decisions) -> float:
    """Share of texts of which every decision is right."""
    return float(accuracy_score(truth_NC, chosen_NC))


def precision_recall_f1(truth_NC: Decisions, chosen_NC: Decisions) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label, float64 [C]; 0 where undefined."""
    labels = range(truth_NC.shape[1])
    precision_C, recall_C, f1_C, _ = precision_recall_fscore_support(
        *_widened(truth_NC, chosen_NC), labels=labels, zero_division=0
    )
    return precision_C, recall_C, f1_C


def macro_f1(truth_NC: Decisions, chosen_NC: Decisions) -> float:
    """Mean F1 of the labels that occur in either matrix; 0 if none does."""
    occurring = np.flatnonzero((truth_NC | chosen_NC).any(axis=0)).tolist()
    return _f1(truth_NC, chosen_NC, occurring, average="macro") if len(occurring) else 0.0


def micro_f1(truth_NC: Decisions, chosen_NC: Decisions) -> float:
    """F1 over all decisions together; 0 if no label is there and none was chosen."""
    return _f1(truth_NC, chosen_NC, range(truth_NC.shape[1]), average="micro")


def _f1(truth_NC: Decisions, chosen_NC: Decisions, labels: Sequence[int], *, average: str) -> float:
    return float(f1_score(*_widened(truth_NC, chosen_NC), labels=labels, average=average, zero_division=0))


def _widened(*matrices_NC: Decisions) -> list[Decisions]:
    """Adds a column that is false: a matrix of one column is no multi-label problem to scikit-learn."""
    return [np.pad(decisions_NC, [(0, 0), (0, 1)]) for decisions_NC in matrices_NC]


def losses(probabilities_NC: Floats, truth_NC: Decisions, *, task: Task) -> Floats:
    """Negative log-likelihood of each text in nats, float64 [N]; of multi-label the mean over labels."""
    p_NC = np.clip(probabilities_NC.astype(np.float64), np.finfo(np.float32).tiny, 1.0)
    if task == "single_label":
        return -np.log(p_NC[truth_NC])
    # Written so that a probability near 0 keeps its digits; float32 cannot tell one near 1 from 1 below 6e-8.
    q_NC = np.clip(1.0 - probabilities_NC.astype(np.float64), np.finfo(np.float32).eps / 2, 1.0)
    return -np.where(truth_NC, np.log(p_NC), np.log(q_NC)).mean(axis=1)  # type: ignore[no-any-return]


def brier_score(probabilities_NC: Floats, truth_NC: Decisions, *, task: Task) -> float:
    """Mean squared distance of probabilities and truth; of multi-label the mean over labels.

    Source: Brier 1950, eq. 2 (the sum over all classes).
    """
    squares_NC = (probabilities_NC.astype(np.float64) - truth_NC) ** 2
    return float(squares_NC.sum(axis=1).mean() if task == "single_label" else squares_NC.mean())


def _confusion(truth_NC: Decisions, chosen_NC: Decisions) -> tuple[tuple[int, ...], ...]:
    """Texts by true label (rows) and predicted label (columns); single-label only."""
    places = range(truth_NC.shape[1])
    counts_CC = confusion_matrix(truth_NC.argmax(axis=1), chosen_NC.argmax(axis=1), labels=places)
    return tuple(tuple(row) for row in counts_CC.tolist())
