"""Metrics of the answers of a model, and their drift from the answers to held-out texts of its training.

Answers are noted by request and counted a few hundred at a time.
"""

import math
from collections.abc import Mapping, Sequence
from weakref import WeakSet

import numpy as np

from app.core.classifier import Classifier, Probabilities
from app.telemetry.counters import SeriesTable
from model.profile import Counts, stability_index
from model.text import Encoded

PENDING_TEXTS = 256
"""Texts counted at a time: a fifth of a millisecond. More would save little, and hold up the event loop for longer."""

MEMORY_TEXTS = 10_000
"""Texts over which the recent answers are forgotten: one that is so many texts old weighs 1/e."""

FEWEST_TEXTS = 1_000
"""Fewer say nothing about drift."""

HISTOGRAMS = {"confidence": "sluice_confidence", "length": "sluice_text_tokens", "unknown": "sluice_unknown_share"}
"""Families by aspect of a profile."""


class AnswerMetrics:
    """Labels, confidence, length, unknown script and drift of the answers of all models."""

    def __init__(self, table: SeriesTable) -> None:
        self.predictions = table.counter("sluice_predictions")
        self.unlabelled = table.counter("sluice_texts_unlabelled")
        self._drift = table.gauge("sluice_drift")
        self.histograms = {aspect: table.histogram(name) for aspect, name in HISTOGRAMS.items()}
        self._answers: WeakSet[Answers] = WeakSet()

    def of(self, model: str, classifier: Classifier) -> "Answers":
        """Counts of one classifier's answers, for as long as they are held."""
        answers = Answers(self, model, classifier)
        self._answers.add(answers)
        return answers

    def count(self) -> None:
        """Counts everything that was noted and not counted yet, and shows the drift of what serves now."""
        self._drift.clear()
        for answers in self._answers:
            answers.count()
            for aspect, distance in answers.distances().items():
                self._drift.labels(*answers.labels, aspect).set(distance)


class Answers:
    """Answers of one classifier, noted and then counted. For the event loop only.

    Args:
        metrics: where they are counted.
        model: name of its model.
        classifier: whose answers they are.

    Attributes:
        labels: of their series: model and version.
        retired: set once another version takes over. What it still answers is counted, but is no drift to act on.
    """

    def __init__(self, metrics: AnswerMetrics, model: str, classifier: Classifier) -> None:
        self.labels = model, classifier.version
        self.retired = False
        self._profile = classifier.profile
        self._given = [metrics.predictions.labels(*self.labels, label) for label in classifier.labels]
        self._given.append(metrics.unlabelled.labels(*self.labels))
        self._histograms = {aspect: series.labels(model) for aspect, series in metrics.histograms.items()}
        reference = classifier.reference
        self._reference: Mapping[str, Counts] = {} if reference is None else reference.counts(classifier.labels)
        self._recent = {aspect: np.zeros_like(counts) for aspect, counts in self._reference.items()}
        self._num_counted = 0
        self._texts: list[Encoded] = []
        self._rows: list[Probabilities] = []

    def note(self, texts: Sequence[Encoded], rows: Probabilities) -> None:
        """Notes the tokens of texts and their probabilities [texts, labels], to be counted soon."""
        self._texts += texts
        self._rows.append(rows)
        if len(self._texts) >= PENDING_TEXTS:
            self.count()

    def count(self) -> None:
        """Counts the answers that were noted and not counted yet."""
        texts, self._texts = self._texts, []
        rows, self._rows = self._rows, []
        if not texts:
            return
        profile = self._profile(texts, np.concatenate(rows))
        for counter, count in zip(self._given, profile.counts["label"].tolist(), strict=True):
            counter.inc(count)
        for aspect, histogram in self._histograms.items():
            histogram.observe_many(profile.counts[aspect].tolist(), profile.sums[aspect])
        kept = math.exp(-profile.texts / MEMORY_TEXTS)
        self._num_counted += profile.texts
        for aspect in self._recent:
            self._recent[aspect] = self._recent[aspect] * kept + profile.counts[aspect]

    def distances(self) -> dict[str, float]:
        """Distance of the recent answers from the reference by aspect; none of too few, or once retired."""
        if self.retired or self._num_counted < FEWEST_TEXTS:
            return {}
        return {aspect: stability_index(self._reference[aspect], self._recent[aspect]) for aspect in self._recent}
