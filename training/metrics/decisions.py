"""Decisions: a boolean matrix [N, C] of the labels that each text has, or that it is given.

Single-label and multi-label tasks share this form, and with it every score.

Shape suffixes: N texts, C labels, M answers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Task

Floats = npt.NDArray[np.floating[Any]]
Decisions = npt.NDArray[np.bool_]


def one_hot(places_N: npt.NDArray[np.integer[Any]], num_labels: int) -> Decisions:
    """Decisions [N, C] of single labels.

    >>> one_hot(np.array([1, 0]), 2).tolist()
    [[False, True], [True, False]]
    """
    return np.equal.outer(places_N, np.arange(num_labels))  # type: ignore[no-any-return]


def decide(
    probabilities_NC: Floats, *, task: Task, thresholds_C: Floats | Sequence[float] | float | None = None
) -> Decisions:
    """The most probable label (the first of equals), or each label that reaches its threshold.

    `thresholds_C` is for multi-label only; None is 1/2 for all.
    """
    if task == "single_label":
        return one_hot(probabilities_NC.argmax(axis=1), probabilities_NC.shape[1])
    return probabilities_NC >= np.asarray(0.5 if thresholds_C is None else thresholds_C)


def confidence(probabilities_NC: Floats, truth_NC: Decisions, *, task: Task) -> tuple[Floats, Decisions]:
    """Confidence [M] of each answer, 0 to 1, and whether it is right.

    An answer is a text or, for multi-label, a text and a label.
    """
    p_NC = probabilities_NC.astype(np.float64)
    right_NC = decide(probabilities_NC, task=task) == truth_NC
    if task == "single_label":
        return p_NC.max(axis=1), right_NC.all(axis=1)
    return np.maximum(p_NC, 1 - p_NC).ravel(), right_NC.ravel()
