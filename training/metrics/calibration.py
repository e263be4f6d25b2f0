"""Calibration: its error, the temperatures that lower it, and the thresholds of a multi-label model.

Shape suffixes: N texts, C labels, M answers, G groups of equally sure answers, K temperatures.
"""

import numpy as np
from scipy.optimize import minimize

from model.config import Task
from model.probabilities import probabilities
from training.metrics.decisions import Decisions, Floats

NUM_BINS = 15
"""Source: Guo et al. 2017, table 1."""

TEMPERATURE_RANGE = (0.05, 20.0)
NUM_HALVINGS = 60

MOST_GIVEN = 2
"""Texts that get a label of a multi-label model, over those that have it, at most. Where nothing tells a rare label's
texts from others, its F1 is greatest if all texts get it (Lipton et al. 2014, of classifiers that know nothing)."""

ENOUGH_OF_A_LANGUAGE = 800
"""From so many texts of each of two languages on, each has a temperature of its own. With fewer the two raise the loss
of other texts too often: see docs/design/0025-calibration-by-language.md."""


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


def calibration_error_by_chance(confidence_M: Floats, num_bins: int = NUM_BINS) -> float:
    """The `calibration_error` to expect of answers that are right exactly as often as their confidence says.

    It is not 0: in a bin of few answers the share of right ones differs from the mean confidence by chance. The sum of
    these differences has mean 0 and variance sum p (1 - p); taken as normal, its mean size is sqrt(2 / pi) times its
    standard deviation.

    Source: Roelofs et al. 2022, "Mitigating Bias in Calibration Error Estimation" (the
    error of a calibrated model is not 0).

    >>> [round(calibration_error_by_chance(np.full(answers, 0.9)), 4) for answers in (100, 10_000)]
    [0.0239, 0.0024]
    """
    bins_M = np.clip(np.ceil(confidence_M * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    variance_bins = np.bincount(bins_M, weights=confidence_M * (1 - confidence_M), minlength=num_bins)
    return float(np.sqrt(2 / np.pi * variance_bins.clip(min=0)).sum() / len(confidence_M))


def fit_temperature(logits_NC: Floats, truth_NC: Decisions, *, task: Task, weights_N: Floats | None = None) -> float:
    """The T that minimises the negative log-likelihood of `logits / T`, inside `TEMPERATURE_RANGE`.

    Each text counts as much as it weighs in `weights_N`, all above 0; None is 1 for all.
    With b = 1/T the loss is convex in b, so its slope has at most one zero, which halving finds.
    Where every decision is right the likelihood has no maximum (T falls to 0, confidence rises to 1): 1.0, no change,
    is returned.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2 (temperature scaling), eq. 9.
    """
    logits_NC = logits_NC.astype(np.float64)
    if len(logits_NC) == 0 or _all_right(logits_NC, truth_NC, task):
        return 1.0
    low, high = 1 / TEMPERATURE_RANGE[1], 1 / TEMPERATURE_RANGE[0]
    for _ in range(NUM_HALVINGS):
        middle = float(np.sqrt(low * high))
        if loss_slope(middle, logits_NC, truth_NC, task=task, weights_N=weights_N) < 0:
            low = middle
        else:
            high = middle
    return float(1 / np.sqrt(low * high))


def loss_slope(
    b: float, logits_NC: Floats, truth_NC: Decisions, *, task: Task, weights_N: Floats | None = None
) -> float:
    """d/db of the mean negative log-likelihood of `b * logits`: the expected logit less that of the truth."""
    slope_N = ((probabilities(b * logits_NC, task=task) - truth_NC) * logits_NC).sum(axis=1)
    return float(np.average(slope_N, weights=weights_N))


def fit_temperatures(
    logits_NC: Floats, truth_NC: Decisions, shares_NK: Floats, *, task: Task, weights_N: Floats | None = None
) -> tuple[float, ...]:
    """The T_1 to T_K inside `TEMPERATURE_RANGE` that minimise the negative log-likelihood of the logits over them.

    Each text's own temperature T has 1/T = sum of its shares over T_k; its shares are not negative and sum to 1. The
    loss is convex in all 1/T_k together. `weights_N` as of `fit_temperature`.
    """
    logits_NC = logits_NC.astype(np.float64)

    def loss(b_K: Floats) -> tuple[float, Floats]:
        z_NC = logits_NC * (shares_NK @ b_K)[:, None]
        slope_N = ((probabilities(z_NC, task=task) - truth_NC) * logits_NC).sum(axis=1)
        softplus_NC = np.logaddexp(0, z_NC)
        losses_N = (
            (softplus_NC - truth_NC * z_NC).sum(axis=1)
            if task == "multi_label"
            else np.logaddexp.reduce(z_NC, axis=1) - z_NC[truth_NC]
        )
        slopes_NK = slope_N[:, None] * shares_NK
        return float(np.average(losses_N, weights=weights_N)), np.average(slopes_NK, axis=0, weights=weights_N)

    num_temperatures = shares_NK.shape[1]
    bounds = [(1 / TEMPERATURE_RANGE[1], 1 / TEMPERATURE_RANGE[0])] * num_temperatures
    found = minimize(loss, x0=np.ones(num_temperatures), jac=True, method="L-BFGS-B", bounds=bounds)
    return tuple(float(1 / b) for b in found.x)


def fit_by_language(
    logits_NC: Floats, truth_NC: Decisions, chinese_N: Floats, *, task: Task, weights_N: Floats | None = None
) -> tuple[float, float | None]:
    """Temperatures of other texts and of Chinese ones, as `model.temperature.Temperature` applies them.

    `chinese_N` are shares of Chinese tokens, and `weights_N` is as of `fit_temperature`. The second is None, and the
    first for all texts, unless there are `ENOUGH_OF_A_LANGUAGE` texts of either kind and a mistake among them.
    """
    is_chinese_N = chinese_N >= 0.5
    for part_N in (is_chinese_N, ~is_chinese_N):
        if part_N.sum() < ENOUGH_OF_A_LANGUAGE or _all_right(logits_NC[part_N], truth_NC[part_N], task):
            return fit_temperature(logits_NC, truth_NC, task=task, weights_N=weights_N), None
    shares_N2 = np.stack([1 - chinese_N, chinese_N], axis=1)
    other, chinese = fit_temperatures(logits_NC, truth_NC, shares_N2, task=task, weights_N=weights_N)
    return other, chinese


def fit_thresholds(
    probabilities_NC: Floats, truth_NC: Decisions, *, weights_N: Floats | None = None
) -> tuple[float, ...]:
    """For each label the probability from which to give it, so that its F1 on these texts is greatest.

    No label is given to more than `MOST_GIVEN` times as many texts as have it. The threshold lies halfway between two
    probabilities that occur; of equally good ones the nearest to 1/2 is taken, and 1/2 where there is none, or no text
    has the label. Everywhere a text counts as much as it weighs in `weights_N`, all above 0; None is 1 for all.

    Source: Yang 2001, "A Study of Thresholding Strategies for Text Categorization" (SCut); Lipton et al. 2014, "Optimal
    Thresholding of Classifiers to Maximize F1 Measure" (such a threshold is seldom 1/2).

    >>> fit_thresholds(np.array([[0.125], [0.25], [0.375], [0.5]]), np.array([[False], [False], [True], [True]]))
    (0.3125,)
    """
    each_N = np.ones(len(truth_NC)) if weights_N is None else weights_N.astype(np.float64)
    columns = zip(probabilities_NC.astype(np.float64).T, truth_NC.T, strict=True)
    return tuple(_fit_threshold(probabilities_N, truth_N, each_N) for probabilities_N, truth_N in columns)


def _fit_threshold(probabilities_N: Floats, truth_N: Decisions, weights_N: Floats) -> float:
    if not truth_N.any():
        return 0.5
    order_N = np.argsort(-probabilities_N, kind="stable")
    p_N, given_N = probabilities_N[order_N], weights_N[order_N].cumsum()
    hits_N = (weights_N * truth_N)[order_N].cumsum()
    next_N = np.append(p_N[1:], 0.0)
    f1_N = 2 * hits_N / (given_N + hits_N[-1])
    f1_N[p_N == next_N] = -1.0  # no threshold parts equals
    f1_N[given_N > MOST_GIVEN * hits_N[-1] * (1 + 1e-9)] = -1.0
    if f1_N.max() < 0:
        return 0.5
    middle_N = (p_N + next_N) / 2
    best = np.flatnonzero(f1_N >= f1_N.max() - 1e-12)
    return float(min(middle_N[best], key=lambda threshold: abs(threshold - 0.5)))


def _all_right(logits_NC: Floats, truth_NC: Decisions, task: Task) -> bool:
    """True if each text's right labels are ahead of all others: sharpening can only help then."""
    if task == "multi_label":
        return bool(((logits_NC > 0) == truth_NC).all())
    best_wrong_N = np.where(truth_NC, -np.inf, logits_NC).max(axis=1)
    return bool((logits_NC[truth_NC] > best_wrong_N).all())
