"""Logistic regression over TF-IDF of n-grams: words and pairs of words or, of mostly Chinese texts, characters.

Shape suffixes: N texts, F features, C labels (one column for two labels: the second against the first).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from model.config import Task
from training.data.dataset import mostly_chinese
from training.linear.nbsvm import ALWAYS, as_two
from training.linear.quiet import quiet_fit
from training.linear.targets import Rows, Targets

Floats = npt.NDArray[np.floating[Any]]

WORD = r"(?u)\w+(?:'\w+)?|[^\w\s]+"
"""Words, numbers and runs of punctuation: ":)" and "!!!" tell something, and scikit-learn's own pattern drops them."""


def ngram_options(texts: Sequence[str]) -> dict[str, Any]:
    """Options of a vectorizer of scikit-learn: words and pairs of words, or one to three characters of Chinese."""
    if mostly_chinese(texts):
        return {"analyzer": "char", "ngram_range": (1, 3)}
    return {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": WORD}


def tfidf_vectorizer(texts: Sequence[str]) -> TfidfVectorizer:
    """A vectorizer with logarithmic counts for texts like these, not fitted yet."""
    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **ngram_options(texts))


def fit_logistic(
    features_NF: Any, targets: Targets, strength: float, task: Task, *, jointly: bool = False
) -> tuple[Floats, Floats]:
    """Weights [C, F] and bias [C] of logistic regression, by which features become logits.

    Args:
        features_NF: sparse by rows.
        targets: of the texts.
        strength: C of the regression; larger fits the training texts closer.
        task: one label a text, or a set.
        jointly: fits more than two exclusive labels by one regression over all, not by one each against the rest; it
            takes ten times as long.
    """

    def solve(rows: Rows, solver: str) -> tuple[Floats, Floats]:
        model = LogisticRegression(C=strength, solver=solver, max_iter=1000, random_state=0)
        with quiet_fit():
            model.fit(rows.of(features_NF), rows.labels_R, sample_weight=rows.weights_R)
        return np.asarray(model.coef_), np.asarray(model.intercept_)

    num_labels = targets.truth_NC.shape[1]
    if task == "single_label" and num_labels > 2 and jointly:
        rows = targets.exclusive_rows()
        if len(np.unique(rows.labels_R)) == num_labels:
            return solve(rows, "lbfgs")

    def one(rows: Rows) -> tuple[Floats, float]:
        if rows.labels_R.all() or not rows.labels_R.any():
            return np.zeros(features_NF.shape[1]), ALWAYS if rows.labels_R.all() else -ALWAYS
        weights_1F, bias_1 = solve(rows, "liblinear")
        return weights_1F[0], float(bias_1[0])

    columns = [one(rows) for rows in targets.columns(task)]
    return as_two(np.stack([w_F for w_F, _ in columns]), np.array([b for _, b in columns]), task)
