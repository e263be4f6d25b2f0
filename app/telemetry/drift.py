"""What the answers of a model look like, and how far that is from what they looked like in training.

Answers are noted one by one and counted a few hundred at a time: 0.1 and 0.8 µs a text.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from app.core.classifier import Classifier, Probabilities
from app.telemetry.counters import Tallies
from model.profile import BOUNDS, Counts, stability_index
from model.text import Encoded

PENDING_TEXTS = 256
"""Texts counted at a time: a fifth of a millisecond. More would save little, and hold up the event loop for longer."""

MEMORY_TEXTS = 10_000
"""Texts over which the recent answers are forgotten: one that is so many texts old weighs 1/e."""

FEWEST_TEXTS = 1_000
"""Fewer say nothing about drift."""


class AnswerTallies:
    """The families, of all models."""

    def __init__(self, tallies: Tallies) -> None:
        self.predictions = tallies.counter(
            "sluice_predictions",
            "Texts that were given a label; of a multi-label model a text counts for each of its labels. Shares that "
            "move without a release mean other traffic or another world.",
            "model",
            "version",
            "label",
        )
        self.unlabelled = tallies.counter(
            "sluice_texts_unlabelled",
            "Texts that were given no label, which only a multi-label model does.",
            "model",
            "version",
        )
        self.histograms = {
            "confidence": tallies.histogram(
                "sluice_confidence",
                "Highest probability of a text. If low ones become more frequent, texts come that the model was not "
                "made for.",
                "model",
                bounds=BOUNDS["confidence"],
            ),
            "length": tallies.histogram(
                "sluice_text_tokens",
                "Tokens of a text, after it was cut at the limit. Long ones cost more.",
                "model",
                bounds=BOUNDS["length"],
            ),
            "unknown": tallies.histogram(
                "sluice_unknown_share",
                "Share of a text's tokens that are pieces of a character, because its script or sign was rare in the "
                "training texts: the model guesses there.",
                "model",
                bounds=BOUNDS["unknown"],
            ),
        }
        self.drift = tallies.gauge(
            "sluice_drift",
            "How far the last 10,000 texts or so part from the checkpoint's reference: population stability index of "
            "the labels given, the highest probability, the length in tokens and the share of unknown script. Below "
            "0.1 is calm, above 0.25 another population. Absent before 1,000 texts, and for a checkpoint without a "
            "reference (`python -m training reference` adds one). Look at a sample of the texts; train anew if they "
            "are to stay so.",
            "model",
            "version",
            "aspect",
            combine=max,
        )


class Answers:
    """The answers of one classifier. For the event loop only.

    Args:
        tallies: where they are counted.
        model: its name.
    """

    def __init__(self, tallies: AnswerTallies, model: str, classifier: Classifier) -> None:
        labels, version = classifier.labels, classifier.version
        self._profile = classifier.profile
        self._given = [tallies.predictions.of(model, version, label) for label in labels]
        self._given.append(tallies.unlabelled.of(model, version))
        self._histograms = {aspect: family.of(model) for aspect, family in tallies.histograms.items()}
        self._drift = partial(tallies.drift.of, model, version)
        reference = classifier.reference
        self._reference: Mapping[str, Counts] = {} if reference is None else reference.counts(labels)
        self._recent = {aspect: np.zeros_like(counts) for aspect, counts in self._reference.items()}
        self._num_counted = 0
        self._outcomes: list[Probabilities | Exception | None] = []
        self._encoded: list[Encoded | None] = []

    def note(self, outcomes: Sequence[Probabilities | Exception | None], encoded: Sequence[Encoded | None]) -> None:
        """Texts and what became of them, to be counted soon."""
        self._outcomes += outcomes
        self._encoded += encoded
        if len(self._outcomes) >= PENDING_TEXTS:
            self.count()

    def count(self) -> None:
        """Counts what was noted and not counted yet."""
        rows, encoded = [], []
        for outcome, text in zip(self._outcomes, self._encoded, strict=True):
            if isinstance(outcome, np.ndarray) and text is not None:
                rows.append(outcome)
                encoded.append(text)
        self._outcomes, self._encoded = [], []
        if not rows:
            return
        profile = self._profile(encoded, np.array(rows))
        for counter, count in zip(self._given, profile.counts["label"].tolist(), strict=True):
            counter.inc(count)
        for aspect, histogram in self._histograms.items():
            histogram.add(profile.counts[aspect].tolist(), profile.sums[aspect])
        kept = math.exp(-profile.texts / MEMORY_TEXTS)
        self._num_counted += profile.texts
        for aspect in self._recent:
            self._recent[aspect] = self._recent[aspect] * kept + profile.counts[aspect]
            if self._num_counted >= FEWEST_TEXTS:
                self._drift(aspect).watch = partial(self._parted, aspect)

    def _parted(self, aspect: str) -> float:
        return stability_index(self._reference[aspect], self._recent[aspect])
