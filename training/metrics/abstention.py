"""Abstention: accuracy gained by leaving the least sure answers to a person.

Source: Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks", section 2 (coverage and selective
risk); confidence is the probability of the answer, which Hendrycks & Gimpel 2017 found hard to beat.

Shape suffixes: M answers, G groups of answers that are equally sure.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Frozen

Floats = npt.NDArray[np.floating[Any]]

NUM_POINTS = 20
"""Points of a stored risk-coverage curve."""


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
