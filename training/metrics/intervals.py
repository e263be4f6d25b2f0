"""Intervals of accuracy and macro-F1 that hold for few texts, and where no text is wrong.

Accuracy has Wilson's interval. Macro-F1 has a bootstrap interval, but with fewer than `FEW_ERRORS` wrong texts, where
resampling hardly finds any, one that allows for errors that were not seen.

Shape suffixes: N texts, C labels, R resamples, K distinct outcomes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from training.metrics.decisions import Decisions, Floats

Interval = tuple[float, float]

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
Z = 1.959964
"""Quantile of the standard normal distribution at (1 + CONFIDENCE) / 2."""

FEW_ERRORS = 30
"""With fewer wrong texts (or fewer right ones) resampling is not trusted."""

RESAMPLE_CELLS = 10_000_000
"""Bound on resamples times distinct outcomes held at once."""


def wilson_interval(num_right: int, total: int) -> Interval:
    """95% interval of a share; 0 to 1 without any texts.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference"; recommended for few
    texts by Brown, Cai & DasGupta 2001, "Interval Estimation for a Binomial Proportion".

    >>> [round(bound, 4) for bound in wilson_interval(6, 6)]
    [0.6097, 1.0]
    """
    if not total:
        return 0.0, 1.0
    share, spread = num_right / total, Z * Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * (share * (1 - share) / total + spread / (4 * total)) ** 0.5
    low = 0.0 if num_right == 0 else middle - half
    return low, 1.0 if num_right == total else middle + half


def f1_interval(num_hits: int, num_errors: int) -> Interval:
    """95% interval of the F1 of one label, which `num_errors` texts have or get, and not both; 0 to 1 without texts.

    F1 is 2 J / (1 + J) of J, the share of hits among the texts that have or get the label. It grows with J, so that
    the bounds of J's interval become its own.

    >>> [round(bound, 4) for bound in f1_interval(8, 2)]
    [0.6579, 0.9708]
    """
    low, high = wilson_interval(num_hits, num_hits + num_errors)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def difference_interval(num_gained: int, num_lost: int, total: int) -> Interval:
    """95% interval of the difference of two shares of the same texts, -1 to 1.

    Args:
        num_gained: texts that only the first judge has right.
        num_lost: texts that only the second has right.
        total: texts in all, at least 1.

    Source: Agresti & Min 2005, "Simple improved confidence intervals for comparing matched proportions" (half a text
    more in each of the four cells).

    >>> [round(bound, 4) for bound in difference_interval(20, 10, 1000)]
    [-0.0009, 0.0209]
    """
    middle = (num_gained - num_lost) / (total + 2)
    spread = ((num_gained + num_lost + 1) / (total + 2) - middle**2) / (total + 2)
    half = Z * spread**0.5
    return max(-1.0, middle - half), min(1.0, middle + half)


def intervals(truth_NC: Decisions, chosen_NC: Decisions, *, seed: int) -> tuple[Interval, Interval]:
    """95% intervals of accuracy and of macro-F1; see the head of this file."""
    num_right = int((truth_NC == chosen_NC).all(axis=1).sum())
    few = min(num_right, len(truth_NC) - num_right) < FEW_ERRORS
    draw = posterior_interval if few else bootstrap_interval
    return wilson_interval(num_right, len(truth_NC)), draw(truth_NC, chosen_NC, seed=seed)


def posterior_interval(truth_NC: Decisions, chosen_NC: Decisions, *, seed: int) -> Interval:
    """95% interval of macro-F1 under random weights of the texts, and of an error and a hit of each label beside them.

    The weights of K distinct outcomes are gamma distributed with their counts. The further outcomes, which need not
    have been seen, have half a text each for all errors and for all hits together, as Jeffreys' prior of a share has;
    so a thousand labels do not add up to hundreds of errors. The score itself is inside.

    Source: Rubin 1981, "The Bayesian bootstrap" (the weights); Brown, Cai & DasGupta 2001, section 3.1 (the prior).
    """
    occurring = np.flatnonzero((truth_NC | chosen_NC).any(axis=0))
    if not len(occurring):
        return 0.0, 1.0
    pairs_N2C = np.hstack([truth_NC[:, occurring], chosen_NC[:, occurring]])
    outcomes_K, counts_K = np.unique(pairs_N2C, axis=0, return_counts=True)
    seen_truth_KC, seen_chosen_KC = np.hsplit(outcomes_K, 2)
    own_CC = np.eye(len(occurring), dtype=np.bool_)
    other_CC = np.roll(own_CC, 1, axis=1) & ~own_CC  # none where there is one label only
    truth_KC = np.vstack([seen_truth_KC, own_CC, own_CC])
    chosen_KC = np.vstack([seen_chosen_KC, other_CC, own_CC])
    shape_K = np.concatenate([counts_K, np.full(2 * len(occurring), 0.5 / len(occurring))])
    rng, step, drawn = np.random.default_rng(seed), max(1, RESAMPLE_CELLS // len(shape_K)), []
    for start in range(0, NUM_RESAMPLES, step):
        weights_RK = rng.gamma(shape_K, size=(min(step, NUM_RESAMPLES - start), len(shape_K)))
        hits_RC = weights_RK @ (truth_KC & chosen_KC)
        totals_RC = weights_RK @ (truth_KC.astype(np.float64) + chosen_KC)
        drawn.append((2 * hits_RC / np.maximum(totals_RC, np.finfo(np.float64).tiny)).mean(axis=1))
    low, high = _interval(np.concatenate(drawn))
    score = float(_macro_f1_of(counts_K[None].astype(np.float64), seen_truth_KC, seen_chosen_KC)[0])
    return min(low, score), max(high, score)


def bootstrap_interval(
    truth_NC: Decisions, chosen_NC: Decisions, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """95% interval of macro-F1 under resampling of the texts.

    Texts with the same truth and prediction are interchangeable, so a resample is one multinomial draw over the
    distinct outcomes. The score itself is inside: a resample may lack a rare label that is always missed, whose F1 of
    0 then no longer lowers the mean.

    Source: Efron & Tibshirani 1993, section 13.3 (percentile interval).
    """
    outcomes_K, counts_K = np.unique(np.hstack([truth_NC, chosen_NC]), axis=0, return_counts=True)
    truth_KC, chosen_KC = np.hsplit(outcomes_K, 2)
    draws = _draws(counts_K, seed, num_resamples)
    low, high = _interval(
        np.concatenate([_macro_f1_of(draws_RK.astype(np.float64), truth_KC, chosen_KC) for draws_RK in draws])
    )
    score = float(_macro_f1_of(counts_K[None].astype(np.float64), truth_KC, chosen_KC)[0])
    return min(low, score), max(high, score)


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
