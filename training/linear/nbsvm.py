"""The linear SVM over n-grams weighted by how naive Bayes sees them.

Source: Wang & Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification".

Shape suffixes: N texts, F n-grams, C labels (one column for two labels: the second against the first).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from model.config import Task
from training.linear.quiet import quiet_fit
from training.metrics.decisions import Decisions

Floats = npt.NDArray[np.floating[Any]]

SMOOTHING = 1.0
"""Source: Wang & Manning 2012, section 3 (α)."""

ALWAYS = 10.0
"""Logit of a label that every training text has; less this, of one that none has."""


def log_count_ratios(present_NF: Any, y_N: Decisions, weights_N: Floats | None = None) -> Floats:
    """Log-ratio of each n-gram's share in the texts with the label to its share in the others, in nats; float64 [F].

    0 for an n-gram that no text holds: a hashed table has many, which smoothing must not count as seen.

    Source: Wang & Manning 2012, section 3, r.
    """

    def count(rows: npt.NDArray[np.int64]) -> Floats:
        held = present_NF[rows] > 0
        counts = held.sum(axis=0) if weights_N is None else held.T @ weights_N[rows]
        return np.asarray(counts, dtype=np.float64).ravel()

    with_F, without_F = count(np.flatnonzero(y_N)), count(np.flatnonzero(~y_N))
    held_F = with_F + without_F > 0
    p_F, q_F = (SMOOTHING + with_F) * held_F, (SMOOTHING + without_F) * held_F
    ratios_F = np.zeros_like(p_F)
    ratios_F[held_F] = np.log((p_F[held_F] / p_F.sum()) / (q_F[held_F] / q_F.sum()))
    return ratios_F


def fit_svm(
    present_NF: Any, strength: float, y_N: Decisions, *, weights_N: Floats | None = None, balanced: bool = False
) -> tuple[Floats, Floats, float]:
    """Log-count ratios [F], weights [F] over n-grams times those, and bias, of one label against the rest.

    Args:
        present_NF: sparse by rows, not zero where the text holds the n-gram; its value there weighs it.
        strength: C of the SVM; larger fits the training texts closer.
        y_N: which texts have the label.
        weights_N: of each text, above 0; None is 1 for all.
        balanced: whether both sides count the same, however many texts they have.
    """
    if y_N.all() or not y_N.any():
        return np.zeros(present_NF.shape[1]), np.zeros(present_NF.shape[1]), ALWAYS if y_N.all() else -ALWAYS
    ratios_F = log_count_ratios(present_NF, y_N, weights_N)
    svm = LinearSVC(C=strength, random_state=0, class_weight="balanced" if balanced else None)
    numbers = present_NF.data * ratios_F.astype(present_NF.dtype)[present_NF.indices]
    scaled_NF = csr_matrix((numbers, present_NF.indices, present_NF.indptr), shape=present_NF.shape)
    with quiet_fit():
        svm.fit(scaled_NF, y_N, sample_weight=weights_N)
    return ratios_F, svm.coef_[0], float(svm.intercept_[0])


def as_two(weights_CF: Floats, bias_C: Floats, task: Task) -> tuple[Floats, Floats]:
    """A single score z of two exclusive labels as the logits -z/2 and z/2."""
    if task == "multi_label" or len(bias_C) > 1:
        return weights_CF, bias_C
    sides = np.array([[-0.5], [0.5]])
    return sides * weights_CF, sides[:, 0] * bias_C
