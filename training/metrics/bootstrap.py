"""Bootstrap intervals of accuracy and macro-F1.

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
RESAMPLE_CELLS = 10_000_000
"""Bound on resamples times distinct outcomes held at once."""


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
