"""Points of a reliability diagram: how often answers are right that are so sure.

Shape suffix: M answers.
"""

import numpy as np

from model.config import Frozen
from training.metrics.decisions import Decisions, Floats
from training.metrics.intervals import Interval, wilson_interval

NUM_BINS = 10


class ReliabilityBin(Frozen):
    """Answers of about the same confidence.

    Attributes:
        answers: their number.
        confidence: their mean, 0 to 1.
        accuracy: share of right ones.
        interval: 95% interval of the accuracy, Wilson's.
    """

    answers: int
    confidence: float
    accuracy: float
    interval: Interval


def reliability(confidence_M: Floats, right_M: Decisions, num_bins: int = NUM_BINS) -> tuple[ReliabilityBin, ...]:
    """Bins with as many answers each, by rising confidence, M at least 1; equally sure answers share a bin.

    Bins of equal width would leave most of a good classifier's answers in the last one.

    Source: DeGroot & Fienberg 1983, "The comparison and evaluation of forecasters" (the diagram); Nguyen & O'Connor
    2015, section 3 (adaptive binning).

    >>> [found.answers for found in reliability(np.array([0.6, 0.9, 0.9, 0.9]), np.array([True] * 4), num_bins=2)]
    [1, 3]
    """
    sure_M = confidence_M.astype(np.float64)
    edges = np.unique(np.sort(sure_M)[[len(sure_M) * place // num_bins for place in range(num_bins)]])
    bin_M = np.searchsorted(edges, sure_M, side="right") - 1
    found = []
    for place in range(len(edges)):
        inside_M = bin_M == place
        answers, num_right = int(inside_M.sum()), int(right_M[inside_M].sum())
        found.append(
            ReliabilityBin(
                answers=answers,
                confidence=float(sure_M[inside_M].mean()),
                accuracy=num_right / answers,
                interval=wilson_interval(num_right, answers),
            )
        )
    return tuple(found)
