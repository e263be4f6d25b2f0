"""Targets of the linear models: the labels of texts, their probabilities where a file has some, and the texts' weights.

A linear model takes one label a row. So a text with probabilities stands in as many rows as it may have labels, each
weighing as much as its probability: the mean of the rows' losses is then the cross-entropy of the probabilities.

Shape suffixes: N texts, C labels, R rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from model.config import Task
from tables.labels import Names
from training.data.dataset import Dataset, soft_targets, truth_of
from training.metrics.decisions import Decisions

Floats = npt.NDArray[np.floating[Any]]
Places = npt.NDArray[np.int64]

LEAST_SHARE = 0.01
"""Probabilities of less than this, over the most probable label's, are left out: with 1,000 labels a text would else
stand in 1,000 rows."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one label each.

    Attributes:
        texts_R: the place of each row's text.
        labels_R: int64, the place of its label; or bool, if it has the label in question.
        weights_R: above 0; None is 1 for all, and each text is one row, in their order.
    """

    texts_R: Places
    labels_R: npt.NDArray[Any]
    weights_R: Floats | None

    def of(self, features_NF: Any) -> Any:
        """The features [R, F] of the rows, from those of the texts; no copy where these are the same."""
        return features_NF if self.weights_R is None else features_NF[self.texts_R]


@dataclass(frozen=True, slots=True)
class Targets:
    """Labels that a linear model is fitted to.

    Attributes:
        truth_NC: the labels, by which models are chosen.
        shares_NC: probabilities of the labels, to which models are fitted where a file has them; None is the labels.
        weights_N: of each text, 0 or more; None, or nothing but zeros, is 1 for all.
    """

    truth_NC: Decisions
    shares_NC: Floats | None = None
    weights_N: Floats | None = None

    @classmethod
    def of(cls, dataset: Dataset, labels: Names) -> Self:
        """The targets of a data set's texts, whose weights are 1 in the mean."""
        weights_N = dataset.weights
        if weights_N is not None:
            weights_N = weights_N / np.float32(weights_N.mean(dtype=np.float64) or 1)
        return cls(truth_of(dataset, labels), soft_targets(dataset, labels), weights_N)

    def take(self, places: Places) -> Self:
        """The targets of the texts at `places`, in that order."""
        shares_NC = None if self.shares_NC is None else self.shares_NC[places]
        weights_N = None if self.weights_N is None else self.weights_N[places]
        return type(self)(self.truth_NC[places], shares_NC, weights_N)

    def of_labels(self, places_K: Places) -> Self:
        """The targets of the same texts for the labels at these places alone."""
        shares_NC = None if self.shares_NC is None else self.shares_NC[:, places_K]
        return type(self)(self.truth_NC[:, places_K], shares_NC, self.weights_N)

    def followed_by(self, other: "Targets") -> Self:
        """The targets of these texts and, after them, of others."""
        shares_NC = weights_N = None
        if self.shares_NC is not None or other.shares_NC is not None:
            shares_NC = np.concatenate([self._probabilities(), other._probabilities()])
        if self.weights_N is not None or other.weights_N is not None:
            weights_N = np.concatenate([self._weights(), other._weights()])
        return type(self)(np.concatenate([self.truth_NC, other.truth_NC]), shares_NC, weights_N)

    def _probabilities(self) -> Floats:
        return self.truth_NC.astype(np.float32) if self.shares_NC is None else self.shares_NC

    def _weights(self) -> Floats:
        return np.ones(len(self.truth_NC), dtype=np.float32) if self.weights_N is None else self.weights_N

    def exclusive_rows(self) -> Rows:
        """The rows of texts that have one label each."""
        if self.shares_NC is None:
            return self._hard(self.truth_NC.argmax(axis=1))
        kept_NC = self.shares_NC >= LEAST_SHARE * self.shares_NC.max(axis=1, keepdims=True)
        return self._soft(kept_NC, self.shares_NC)

    def rows_of(self, label: int) -> Rows:
        """The rows that tell which texts have the label at this place."""
        if self.shares_NC is None:
            return self._hard(self.truth_NC[:, label])
        sides_N2 = np.stack([1 - self.shares_NC[:, label], self.shares_NC[:, label]], axis=1)
        rows = self._soft(sides_N2 >= LEAST_SHARE, sides_N2)
        return Rows(rows.texts_R, rows.labels_R == 1, rows.weights_R)

    def columns(self, task: Task) -> Iterator[Rows]:
        """The rows of each label in turn; of two exclusive labels only those of the second."""
        two = task == "single_label" and self.truth_NC.shape[1] == 2
        return (self.rows_of(label) for label in range(1 if two else 0, self.truth_NC.shape[1]))

    def _hard(self, labels_N: npt.NDArray[Any]) -> Rows:
        if self.weights_N is None or not self.weights_N.any():
            return Rows(np.arange(len(labels_N)), labels_N, None)
        texts_R = np.flatnonzero(self.weights_N)
        return Rows(texts_R, labels_N[texts_R], self.weights_N[texts_R])

    def _soft(self, kept: Decisions, shares: Floats) -> Rows:
        kept_shares = shares * kept
        kept_shares /= kept_shares.sum(axis=1, keepdims=True)
        if self.weights_N is not None and self.weights_N.any():
            kept_shares *= self.weights_N[:, None]
        texts_R, labels_R = np.nonzero(kept_shares)
        return Rows(texts_R, labels_R, kept_shares[texts_R, labels_R])
