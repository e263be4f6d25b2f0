"""How good predictions are, as numbers; NumPy only.

Single-label and multi-label share one form, the decisions: a boolean matrix [N, C], which labels each text has or gets.

Shape suffixes: N texts, C labels, R resamples, K distinct outcomes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from model.config import Frozen, Task
from training.metrics.abstention import Abstention, abstention, risks

Floats = npt.NDArray[np.floating[Any]]
Decisions = npt.NDArray[np.bool_]
Interval = tuple[float, float]

NUM_BINS = 15
"""Source: Guo et al. 2017, table 1."""

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
RESAMPLE_CELLS = 10_000_000
"""Bound on resamples times distinct outcomes held at once."""


class LabelScores(Frozen):
    """Scores of one label, 0 where undefined; `support` is the number of texts that have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Scores(Frozen):
    """Everything measured on one file.

    Attributes:
        rows: N.
        accuracy: share of texts with exactly the right label or, for multi-label, the right set of them.
        macro_f1: mean F1 of the labels that occur, in the texts or in the predictions.
        micro_f1: F1 over all decisions; equals accuracy for single-label.
        accuracy_interval, macro_f1_interval: 95% bootstrap intervals over the texts.
        ece, ece_equal_mass: expected calibration error, 0 to 1, in bins of equal width, or of equally many answers.
        nll: negative log-likelihood in nats; of multi-label the mean over labels.
        brier: 0 to 2 for single-label; of multi-label the mean over labels, 0 to 1.
        majority: accuracy of always answering this file's commonest label (or set of labels).
        labels: one entry a label.
        confusion: rows are true, columns predicted labels; None for multi-label.
        bootstrap_seed: of the intervals.
        abstention: what leaving out the least sure answers is worth; multi-label answers as in `confidence`.
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
    abstention: Abstention | None = None


class Uncalibrated(Frozen):
    """Some of the same figures without the temperature and the thresholds."""

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
    chosen_NC = decide(probabilities_NC, task=task, thresholds_C=0.5 if thresholds is None else np.array(thresholds))
    sure_M, right_M = confidence(probabilities_NC, truth_NC, task=task)
    precision_C, recall_C, f1_C = precision_recall_f1(truth_NC, chosen_NC)
    support_C = truth_NC.sum(axis=0)
    accuracy_interval, macro_f1_interval = bootstrap_intervals(truth_NC, chosen_NC, seed=seed)
    single = task == "single_label"
    return Scores(
        rows=len(truth_NC),
        accuracy=accuracy(truth_NC, chosen_NC),
        accuracy_interval=accuracy_interval,
        macro_f1=macro_f1(truth_NC, chosen_NC),
        macro_f1_interval=macro_f1_interval,
        micro_f1=micro_f1(truth_NC, chosen_NC),
        ece=calibration_error(sure_M, right_M),
        nll=float(losses(probabilities_NC, truth_NC, task=task).mean()),
        brier=brier_score(probabilities_NC, truth_NC, task=task),
        majority=float(np.unique(truth_NC, axis=0, return_counts=True)[1].max() / len(truth_NC)),
        labels=tuple(
            LabelScores(label=label, precision=p, recall=r, f1=f, support=s)
            for label, p, r, f, s in zip(labels, precision_C, recall_C, f1_C, support_C, strict=True)
        ),
        confusion=_as_tuples(confusion_matrix(truth_NC, chosen_NC)) if single else None,
        bootstrap_seed=seed,
        ece_equal_mass=calibration_error_equal_mass(sure_M, right_M),
        abstention=abstention(sure_M, right_M),
    )


def score_uncalibrated(probabilities_NC: Floats, truth_NC: Decisions, *, task: Task) -> Uncalibrated:
    """Measures probabilities of temperature 1, N at least 1, labels given from 1/2."""
    sure_M, right_M = confidence(probabilities_NC, truth_NC, task=task)
    return Uncalibrated(
        ece=calibration_error(sure_M, right_M),
        ece_equal_mass=calibration_error_equal_mass(sure_M, right_M),
        nll=float(losses(probabilities_NC, truth_NC, task=task).mean()),
        brier=brier_score(probabilities_NC, truth_NC, task=task),
        aurc=float(risks(sure_M, right_M)[0].mean()),
        macro_f1=macro_f1(truth_NC, decide(probabilities_NC, task=task)),
    )


Metric = Literal["accuracy", "macro_f1"]
"""What may pick the weights."""


def measure(metric: Metric, task: Task) -> Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], float]:
    """A function of logits [N, C] and targets (places [N], or [N, C] in 0..1) to the metric."""
    compute = {"accuracy": accuracy, "macro_f1": macro_f1}[metric]

    def of(logits_NC: npt.NDArray[np.float32], targets: npt.NDArray[Any]) -> float:
        truth_NC = targets > 0.5 if targets.ndim == 2 else one_hot(targets, logits_NC.shape[1])
        return compute(truth_NC, decide(logits_NC, task=task, thresholds_C=0.0))  # a logit of 0 is a probability of 1/2

    return of


def one_hot(places_N: npt.NDArray[np.integer[Any]], num_labels: int) -> Decisions:
    """Decisions [N, C] of single labels.

    >>> one_hot(np.array([1, 0]), 2).tolist()
    [[False, True], [True, False]]
    """
    return np.equal.outer(places_N, np.arange(num_labels))  # type: ignore[no-any-return]


def decide(probabilities_NC: Floats, *, task: Task, thresholds_C: Floats | float = 0.5) -> Decisions:
    """The most probable label (the first of equals), or each label that reaches its threshold.

    `thresholds_C` is for multi-label only.
    """
    if task == "single_label":
        return one_hot(probabilities_NC.argmax(axis=1), probabilities_NC.shape[1])
    return probabilities_NC >= thresholds_C


def accuracy(truth_NC: Decisions, chosen_NC: Decisions) -> float:
    """Share of texts of which every decision is right."""
    return float((truth_NC == chosen_NC).all(axis=1).mean())


def precision_recall_f1(truth_NC: Decisions, chosen_NC: Decisions) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label, float64 [C]; 0 where undefined."""
    hits_C = (truth_NC & chosen_NC).sum(axis=0)
    chosen_C, support_C = chosen_NC.sum(axis=0), truth_NC.sum(axis=0)
    return _ratio(hits_C, chosen_C), _ratio(hits_C, support_C), _ratio(2 * hits_C, chosen_C + support_C)


def macro_f1(truth_NC: Decisions, chosen_NC: Decisions) -> float:
    """Mean F1 of the labels that occur in either matrix; 0 if none does."""
    f1_C = precision_recall_f1(truth_NC, chosen_NC)[2]
    occurs_C = (truth_NC | chosen_NC).any(axis=0)
    return float(f1_C[occurs_C].mean()) if occurs_C.any() else 0.0


def micro_f1(truth_NC: Decisions, chosen_NC: Decisions) -> float:
    """F1 over all decisions together; 0 if nothing is there and nothing was chosen."""
    hits = (truth_NC & chosen_NC).sum()
    return float(_ratio(2 * hits, truth_NC.sum() + chosen_NC.sum()))


def confusion_matrix(truth_NC: Decisions, chosen_NC: Decisions) -> npt.NDArray[np.int64]:
    """Texts by true label (rows) and predicted label (columns), int64 [C, C]; single-label only."""
    return truth_NC.T.astype(np.int64) @ chosen_NC.astype(np.int64)


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


def confidence(probabilities_NC: Floats, truth_NC: Decisions, *, task: Task) -> tuple[Floats, Decisions]:
    """How sure each answer is and whether it is right; an answer is a text or, for multi-label, a text and label."""
    p_NC = probabilities_NC.astype(np.float64)
    right_NC = decide(probabilities_NC, task=task) == truth_NC
    if task == "single_label":
        return p_NC.max(axis=1), right_NC.all(axis=1)
    return np.maximum(p_NC, 1 - p_NC).ravel(), right_NC.ravel()


def calibration_error(confidence_M: Floats, right_M: Decisions, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error: the gap of confidence and accuracy in equal-width bins, weighted by their answers.

    Source: Naeini et al. 2015, section 2 (ECE); Guo et al. 2017, eqs. 2 and 3 (bin m holds ((m-1)/M, m/M]).

    >>> round(calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([True, True, True, False])), 4)
    0.15
    """
    bins_M = np.clip(np.ceil(confidence_M * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    gap_bins = np.bincount(bins_M, weights=confidence_M - right_M, minlength=num_bins)
    return float(np.abs(gap_bins).sum() / len(confidence_M))


def calibration_error_equal_mass(confidence_M: Floats, right_M: Decisions, num_bins: int = NUM_BINS) -> float:
    """Expected calibration error with as many answers in each bin as in any other (one more where they do not divide).

    Bins of equal width hold most answers of a good classifier in the last bin, and hide what differs inside it. Equally
    sure answers count with the accuracy of all of them: no order of theirs changes the figure.

    Source: Nguyen & O'Connor 2015, "Posterior calibration and exploratory analysis for natural language processing
    models", section 3 (adaptive binning); Nixon et al. 2019, "Measuring Calibration in Deep Learning".

    >>> round(calibration_error_equal_mass(np.array([0.9, 0.9, 0.8, 0.8]), np.array([True, True, True, False]), 2), 4)
    0.2
    """
    values_G, group_M, size_G = np.unique(confidence_M, return_inverse=True, return_counts=True)
    gap_G = values_G - np.bincount(group_M, weights=right_M) / size_G
    parts = np.array_split(np.repeat(gap_G, size_G), num_bins)
    return float(sum(abs(part.sum()) for part in parts) / len(confidence_M))


def bootstrap_intervals(
    truth_NC: Decisions, chosen_NC: Decisions, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> tuple[Interval, Interval]:
    """95% intervals of accuracy and of macro-F1 under resampling of the texts.

    Texts with the same truth and prediction are interchangeable, so a resample is one multinomial draw over the
    distinct outcomes.

    Source: Efron & Tibshirani 1993, section 13.3 (percentile interval).
    """
    outcomes_K, counts_K = np.unique(np.hstack([truth_NC, chosen_NC]), axis=0, return_counts=True)
    truth_KC, chosen_KC = np.hsplit(outcomes_K, 2)
    right_K = (truth_KC == chosen_KC).all(axis=1)
    accuracies, macros = [], []
    for draws_RK in _draws(counts_K, seed, num_resamples):
        accuracies.append(draws_RK @ right_K / len(truth_NC))
        macros.append(_macro_f1_of(draws_RK.astype(np.float64), truth_KC, chosen_KC))
    return _interval(np.concatenate(accuracies)), _interval(np.concatenate(macros))


def _draws(counts_K: npt.NDArray[np.int64], seed: int, num_resamples: int) -> Iterator[npt.NDArray[np.int64]]:
    """Multinomial counts [r, K], r adding up to `num_resamples`."""
    rng = np.random.default_rng(seed)
    step = max(1, RESAMPLE_CELLS // len(counts_K))
    for start in range(0, num_resamples, step):
        yield rng.multinomial(counts_K.sum(), counts_K / counts_K.sum(), size=min(step, num_resamples - start))


def _macro_f1_of(draws_RK: Floats, truth_KC: Decisions, chosen_KC: Decisions) -> Floats:
    """Macro-F1 of each resample, float64 [R]."""
    hits_RC = draws_RK @ (truth_KC & chosen_KC)
    totals_RC = draws_RK @ (truth_KC.astype(np.float64) + chosen_KC)
    occurs_R = (totals_RC > 0).sum(axis=1)
    return _ratio(_ratio(2 * hits_RC, totals_RC).sum(axis=1), occurs_R)


def _interval(values_R: Floats) -> Interval:
    low, high = np.quantile(values_R, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _ratio(numerator: Any, denominator: Any) -> Floats:
    """The quotient, 0 where the denominator is 0."""
    return np.asarray(numerator / np.maximum(denominator, 1), dtype=np.float64)


def _as_tuples(matrix: npt.NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(cell) for cell in row) for row in matrix)
