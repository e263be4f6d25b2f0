"""Abstention: accuracy gained by leaving the least sure answers to a person.

Source: Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks", section 2 (coverage and selective
risk); confidence is the probability of the answer, which Hendrycks & Gimpel 2017 found hard to beat.

`precision_threshold` finds from where on answers are right in a share of cases, not only on the texts at hand.

Shape suffixes: M answers, G groups of answers that are equally sure.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from model.config import Frozen, PrecisionThreshold

Floats = npt.NDArray[np.floating[Any]]

NUM_POINTS = 20
"""Points of a stored risk-coverage curve."""

ERROR_RATE = 0.05
"""Chance that a threshold found by `precision_threshold` does not hold on further texts."""

NUM_STARTS = 10
"""Coverages from which it goes upwards. With more each is tested more strictly; with fewer low ones are missed."""


class Abstention(Frozen):
    """Coverage is the share of answers that are given, the surest ones; error the share of wrong ones among them.

    Attributes:
        aurc: area under the risk-coverage curve, the mean error over all coverages; 0 is best.
        coverage_at_1, coverage_at_2, coverage_at_5: the largest coverage whose error is at most 1%, 2% and 5%.
        accuracy_at_90: accuracy of the surest 90%.
        curve: coverage and error, evenly spread over the coverages up to 1.
    """

    aurc: float
    coverage_at_1: float
    coverage_at_2: float
    coverage_at_5: float
    accuracy_at_90: float
    curve: tuple[tuple[float, float], ...]


class Kept(Frozen):
    """Answers that reach a threshold of the checkpoint.

    Attributes:
        asked: precision that the threshold was found for.
        precision: share of right ones among them; None if there are none.
        coverage: share of all answers that they are.
    """

    asked: float
    precision: float | None
    coverage: float


def abstention(confidence_M: Floats, right_M: npt.NDArray[np.bool_]) -> Abstention:
    """Measures abstention by confidence; M at least 1."""
    risk_M, is_end_M = risks(confidence_M, right_M)
    total = len(risk_M)
    places = [-(-total * i // NUM_POINTS) for i in range(1, NUM_POINTS + 1)]
    return Abstention(
        aurc=float(risk_M.mean()),
        coverage_at_1=coverage_at(0.01, risk_M, is_end_M),
        coverage_at_2=coverage_at(0.02, risk_M, is_end_M),
        coverage_at_5=coverage_at(0.05, risk_M, is_end_M),
        accuracy_at_90=float(1 - risk_M[-(-total * 9 // 10) - 1]),
        curve=tuple((place / total, float(risk_M[place - 1])) for place in places),
    )


def risks(confidence_M: Floats, right_M: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Error among the surest 1, 2, … M answers, float64 [M], and whether a threshold separates each from the next.

    Equally sure answers come in no order, so each counts with the error of its group.

    Source: Geifman et al. 2019, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", section 2 (AURC is
    the mean of these).

    >>> risks(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))[0].round(2).tolist()
    [0.0, 0.5, 0.33]
    """
    _, group_M, size_G = np.unique(-confidence_M, return_inverse=True, return_counts=True)
    error_G = np.bincount(group_M, weights=~right_M) / size_G
    error_M = np.repeat(error_G, size_G)
    is_end_M = np.zeros(len(error_M), dtype=np.bool_)
    is_end_M[size_G.cumsum() - 1] = True
    return error_M.cumsum() / np.arange(1, len(error_M) + 1), is_end_M


def coverage_at(error: float, risk_M: Floats, is_end_M: npt.NDArray[np.bool_]) -> float:
    """The largest coverage that a threshold can reach with at most this error; 0 if there is none."""
    fits = np.flatnonzero(is_end_M & (risk_M <= error + 1e-12))
    return float(fits[-1] + 1) / len(risk_M) if len(fits) else 0.0


def kept_by(found: PrecisionThreshold, confidence_M: Floats, right_M: npt.NDArray[np.bool_]) -> Kept:
    """Measures a threshold on answers, M at least 1; one that no answer can reach keeps none."""
    kept_M = confidence_M >= (np.inf if found.threshold is None else found.threshold)
    precision = float(right_M[kept_M].mean()) if kept_M.any() else None
    return Kept(asked=found.precision, precision=precision, coverage=float(kept_M.mean()))


def precision_threshold(
    confidence_M: Floats, right_M: npt.NDArray[np.bool_], precision: float
) -> tuple[float, float] | None:
    """The lowest threshold from which answers are right in at least this share of cases, and its coverage.

    Both are for further texts of the same kind: with probability `1 - ERROR_RATE` the answers from the threshold up
    have this precision. Picking the best of many thresholds by the share of right answers would flatter it. So each is
    tested by the exact lower bound of a share (Clopper-Pearson, one-sided), in an order that is fixed beforehand: from
    each of `NUM_STARTS` coverages upwards until a test fails, each such sequence at `ERROR_RATE / NUM_STARTS`.

    The threshold lies halfway between two confidences that occur. Returns None if no threshold passes.

    Source: Angelopoulos, Bates, Candes, Jordan & Lei 2021, "Learn then Test", section 2.3 (fixed sequences of tests
    with several starts); Clopper & Pearson 1934, "The use of confidence or fiducial limits" (the bound).

    >>> precision_threshold(np.linspace(0.5, 0.9, 200), np.arange(200) >= 50, 0.9) is not None
    True
    >>> precision_threshold(np.full(20, 0.99), np.full(20, True), 0.9) is None
    True
    """
    values_G, group_M, size_G = np.unique(-confidence_M.astype(np.float64), return_inverse=True, return_counts=True)
    num_G = size_G.cumsum()
    hits_G = np.bincount(group_M, weights=right_M).cumsum()
    passes_G = binom.sf(hits_G - 1, num_G, precision) <= ERROR_RATE / NUM_STARTS
    fails = np.append(np.flatnonzero(~passes_G), len(passes_G))
    total = len(confidence_M)
    starts = num_G.searchsorted([-(-total * i // NUM_STARTS) for i in range(1, NUM_STARTS + 1)])
    ends = [int(fails[fails.searchsorted(start)]) - 1 for start in starts if passes_G[start]]
    if not ends:
        return None
    best = max(ends)
    lower = values_G[best + 1] if best + 1 < len(values_G) else values_G[best]
    return float(-(values_G[best] + lower) / 2), float(num_G[best]) / total
