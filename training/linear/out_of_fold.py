"""Out-of-fold probabilities: each text is judged by models that have not learned from it.

The models are logistic regression over TF-IDF and, where sentence vectors are given, over those; the logarithms of
their probabilities are averaged.

Shape suffixes: N texts, F features, C labels, D width of a vector.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Task
from model.probabilities import probabilities
from training.data.choices import allowed_labels, among
from training.data.dataset import Dataset
from training.data.duplicates import normalised
from training.data.split import fold_of
from training.linear import probe, tfidf
from training.linear.targets import Targets
from training.metrics.decisions import Decisions, Floats

NUM_FOLDS = 5

SPARSE_STRENGTH, DENSE_STRENGTH = 10.0, 1.0
"""C of the two regressions; chosen on planted errors: `benchmarks/training/label_errors.py`."""

TINY = 1e-9

Logits = Callable[[Any], Floats]
"""From features [N, F] to logits [N, C]."""


def out_of_fold(
    dataset: Dataset,
    labels: tuple[str, ...],
    *,
    learned: Sequence[str] | None = None,
    vectors_ND: Floats | None = None,
    num_folds: int = NUM_FOLDS,
    seed: int = 0,
) -> Floats:
    """Probabilities [N, C] of a data set's own labels; equal texts are in one fold.

    Where all texts are equal nothing can judge them: each has the shares of the labels.

    Args:
        dataset: the texts that are judged.
        labels: of the columns.
        learned: the same texts as they are learned from, if that is another way, as masked ones are.
        vectors_ND: sentence vectors, for a second model.
        num_folds, seed: of the parts that are judged by what is learned from the others.

    Raises:
        DataError: a label is not among `labels`.
    """
    targets, task = Targets.of(dataset, labels), dataset.task
    num_folds = min(num_folds, len(set(map(normalised, dataset.texts))))
    if num_folds < 2:
        return np.tile(targets.truth_NC.mean(axis=0), (len(dataset), 1))
    texts = _Texts(targets, allowed_labels(dataset, labels), fold_of(dataset, num_folds, seed=seed), task)
    learned = dataset.texts if learned is None else learned
    vectorizer = tfidf.tfidf_vectorizer(learned).fit(learned)
    found = [texts.judge(vectorizer.transform(learned), vectorizer.transform(dataset.texts), _fit_sparse)]
    if vectors_ND is not None:
        found.append(texts.judge(vectors_ND, vectors_ND, _fit_dense))
    return average(found, task=task)


@dataclass(frozen=True, slots=True)
class _Texts:
    """Targets of texts, the labels that each may have, and its fold."""

    targets: Targets
    allowed_NC: Decisions
    fold_N: npt.NDArray[np.int64]
    task: Task

    def judge(self, learned_NF: Any, judged_NF: Any, fit: Callable[[Any, Targets, Task], Logits]) -> Floats:
        """Probabilities [N, C] of each fold by what `fit` has learned from the others; features of the same texts."""
        logits_NC = np.zeros(self.targets.truth_NC.shape, dtype=np.float32)
        for fold in np.unique(self.fold_N):
            inside = self.fold_N == fold
            logits = fit(learned_NF[~inside], self.targets.take(np.flatnonzero(~inside)), self.task)
            logits_NC[inside] = logits(judged_NF[inside])
        return np.asarray(probabilities(among(logits_NC, self.allowed_NC), task=self.task))


def _fit_sparse(features_NF: Any, targets: Targets, task: Task) -> Logits:
    weights_CF, bias_C = tfidf.fit_logistic(features_NF, targets, SPARSE_STRENGTH, task)

    def logits(features_NF: Any) -> Floats:
        found = np.asarray(features_NF @ weights_CF.T + bias_C)
        if task == "single_label" and found.shape[1] > 2:
            # Each label against the rest: the shares of their probabilities.
            found = np.log(np.clip(probabilities(found, task="multi_label"), TINY, 1.0))
        return found

    return logits


def _fit_dense(features_NF: Any, targets: Targets, task: Task) -> Logits:
    weights_CF, bias_C = probe.fit_logistic(features_NF, targets, DENSE_STRENGTH, task)
    return lambda features_NF: np.asarray(features_NF @ weights_CF.T + bias_C)


def average(parts: Sequence[Floats], *, task: Task) -> Floats:
    """The normalised geometric mean of several models' probabilities [N, C].

    >>> average([np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])], task="single_label").round(2).tolist()
    [[0.75, 0.25]]
    """
    logs = [np.log(np.clip(part, TINY, 1.0)) for part in parts]
    if task == "multi_label":
        logs = [log - np.log(np.clip(1 - part, TINY, 1.0)) for log, part in zip(logs, parts, strict=True)]
    mean_NC = np.mean(logs, axis=0)
    return np.asarray(probabilities(mean_NC, task=task))
