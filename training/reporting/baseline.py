"""Compares a checkpoint with logistic regression that is trained on the spot.

Shape suffixes: N texts, C labels.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from model.classifier import Classifier
from model.probabilities import probabilities
from training.data.choices import allowed_labels, among
from training.data.dataset import Dataset, encode_labels, truth_of
from training.data.split import split
from training.evaluation.evaluate import Result
from training.linear.out_of_fold import out_of_fold
from training.linear.targets import Targets
from training.linear.tfidf import Floats, fit_logistic, tfidf_vectorizer
from training.metrics.calibration import fit_thresholds
from training.metrics.decisions import Decisions, decide
from training.metrics.intervals import difference_interval
from training.metrics.scores import Metric, accuracy, macro_f1, measure
from training.reporting.report import Baseline, Compared

STRENGTHS = (1.0, 10.0, 100.0)

MOST_ROWS = 20_000
MOST_WORK = 1_000_000
"""Bounds on training texts, and on texts times labels: one regression for each label, each over all texts."""


def too_much(dataset: Dataset, num_labels: int) -> str | None:
    """The reason why logistic regression would take too long for a report; None if it would not."""
    rows = min(len(dataset), MOST_ROWS)
    if rows * num_labels <= MOST_WORK:
        return None
    return (
        f"logistic regression over {rows:,} texts and {num_labels:,} labels would take minutes; "
        "`python -m training compare` does it"
    )


def sample(dataset: Dataset, most: int, seed: int) -> Dataset:
    """At most so many texts of a data set, drawn at random, in the order of the file."""
    if len(dataset) <= most:
        return dataset
    return dataset.take(sorted(np.random.default_rng(seed).permutation(len(dataset))[:most].tolist()))


def unlearned(dataset: Dataset, train: Dataset) -> list[str]:
    """Labels of a file that no training text has, as after continuing with texts of new labels alone.

    A regression that is trained on these texts cannot give them, so a comparison would only say that.
    """
    return sorted(dataset.counts().keys() - train.counts().keys())


@dataclass(frozen=True, slots=True)
class Regression:
    """Logistic regression over TF-IDF: features, weights [C, F] and bias [C]."""

    vectorizer: TfidfVectorizer
    weights_CF: Floats
    bias_C: Floats

    @classmethod
    def fit(cls, train: Dataset, labels: tuple[str, ...], strength: float) -> Self:
        """Learns from the training texts; `strength` is C."""
        vectorizer = tfidf_vectorizer(train.texts)
        features_NF = vectorizer.fit_transform(train.texts)
        return cls(vectorizer, *fit_logistic(features_NF, Targets.of(train, labels), strength, train.task))

    def logits(self, dataset: Dataset, labels: tuple[str, ...]) -> Floats:
        """Logits [N, C] of a data set's texts; those of labels that a text cannot have are `NEVER`."""
        logits_NC = np.asarray(self.vectorizer.transform(dataset.texts) @ self.weights_CF.T + self.bias_C)
        return among(logits_NC, allowed_labels(dataset, labels))


def compare_with_baseline(
    classifier: Classifier,
    train: Dataset,
    stopping: Dataset,
    held_out: Mapping[str, tuple[Dataset, Result]],
    *,
    metric: Metric,
    seed: int,
) -> Baseline:
    """Trains logistic regression on at most `MOST_ROWS` training texts, and compares it on every held-out file.

    Its C is the best on `stopping`, which also picked the checkpoint's weights; of several labels a text each has the
    threshold that is best there. Where the training texts are validated on in turn, by folds, a tenth of them
    picks C, and regressions by folds judge these very texts too.

    Args:
        held_out: files of labels that training texts have; see `unlearned`.
    """
    task, labels, began = classifier.task, classifier.labels, time.monotonic()
    learned, by_folds = sample(train, MOST_ROWS, seed), stopping.rows is train.rows
    fitted, picking = split(learned, fraction=0.1, seed=seed) if by_folds else (learned, stopping)
    score, targets = measure(metric, task), encode_labels(picking, labels)
    tried = {strength: Regression.fit(fitted, labels, strength) for strength in STRENGTHS}
    picking_NC = {strength: one.logits(picking, labels) for strength, one in tried.items()}
    scores = {strength: score(logits_NC.astype(np.float32), targets) for strength, logits_NC in picking_NC.items()}
    best = max(scores, key=lambda strength: (scores[strength], -strength))
    thresholds = None
    if task == "multi_label":
        picked_NC = probabilities(picking_NC[best], task=task)
        thresholds = fit_thresholds(picked_NC, truth_of(picking, labels), weights_N=picking.weights)
    regression = Regression.fit(learned, labels, best) if by_folds else tried[best]
    seconds = time.monotonic() - began

    def answers(dataset: Dataset) -> Decisions:
        if dataset.rows is train.rows:
            p_NC = out_of_fold(dataset, labels, learned=train.texts, seed=seed)
            return decide(p_NC, task=task, thresholds_C=thresholds)
        p_NC = probabilities(regression.logits(dataset, labels), task=task)
        return decide(p_NC, task=task, thresholds_C=thresholds)

    compared = tuple(
        compare(role, result, answers(dataset), classifier) for role, (dataset, result) in held_out.items()
    )
    return Baseline(rows=len(learned), of=len(train), choice=f"C={best:g}", seconds=seconds, compared=compared)


def compare(role: str, result: Result, answers_NC: Decisions, classifier: Classifier) -> Compared:
    """The checkpoint beside the baseline's answers to the same texts."""
    chosen_NC = decide(result.probabilities_NC, task=classifier.task, thresholds_C=classifier.thresholds)
    ours_N, theirs_N = ((x == result.truth_NC).all(axis=1) for x in (chosen_NC, answers_NC))
    gained, lost = int((ours_N & ~theirs_N).sum()), int((theirs_N & ~ours_N).sum())
    return Compared(
        role=role,
        accuracy=accuracy(result.truth_NC, answers_NC),
        macro_f1=macro_f1(result.truth_NC, answers_NC),
        checkpoint_accuracy=accuracy(result.truth_NC, chosen_NC),
        checkpoint_macro_f1=macro_f1(result.truth_NC, chosen_NC),
        difference=(gained - lost) / len(ours_N),
        interval=difference_interval(gained, lost, len(ours_N)),
    )
