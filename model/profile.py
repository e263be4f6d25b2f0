"""Counts labels, confidence, length and unknown pieces over texts and their answers; keeps no text.

A checkpoint keeps the counts of held-out texts as its reference. A server counts its own traffic in the same buckets,
and the distance between the two is its drift.

Shape suffixes: N texts, C labels, V tokens of the vocabulary, K buckets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from tokenizers import Tokenizer

from model.config import Frozen, Task
from model.text import Encoded
from model.tokens import pieces_of_characters, share_of_tokens

BOUNDS: Mapping[str, tuple[float, ...]] = {
    "confidence": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
    "length": (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
    "unknown": (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
}
"""Upper bounds of the buckets, each of which belongs to the bucket below it: of a text's highest probability, of its
tokens, and of the share of them that are pieces of a character."""

_BOUNDS = {aspect: np.array(bounds) for aspect, bounds in BOUNDS.items()}

ASPECTS = ("label", *BOUNDS)
"""Aspects in which two profiles can differ."""

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts over a set of texts.

    Attributes:
        texts: how many.
        counts: by aspect. Of `label`: texts given each label, [C + 1]; the last are those given none, which only a
            multi-label model does. Of the others: texts in each bucket, the last one without a bound.
        sums: over the texts, of each aspect in `BOUNDS`.
    """

    texts: int
    counts: Mapping[str, Counts]
    sums: Mapping[str, float]


class Buckets(Frozen):
    """A histogram as it is stored: `counts` has one more than `bounds`, for what is above them."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.counts) != len(self.bounds) + 1:
            raise ValueError(f"{len(self.counts)} counts for {len(self.bounds)} bounds; there must be one more")
        return self


class ReferenceFile(Frozen):
    """File that some of the texts are from."""

    file: str
    sha256: str
    texts: int


class Reference(Frozen):
    """Profile of held-out texts: `reference` in `metrics.json`.

    Attributes:
        labels: texts given each label.
        unlabelled: texts given none.
    """

    texts: int = Field(ge=1)
    files: tuple[ReferenceFile, ...]
    labels: dict[str, int]
    unlabelled: int = 0
    confidence: Buckets
    length: Buckets
    unknown: Buckets

    @classmethod
    def of(cls, profile: Profile, labels: Sequence[str], files: Sequence[ReferenceFile]) -> Self:
        """Makes the stored form of a profile."""
        of_labels = [int(count) for count in profile.counts["label"]]
        buckets = {
            aspect: {"bounds": bounds, "counts": profile.counts[aspect].astype(int).tolist()}
            for aspect, bounds in BOUNDS.items()
        }
        named = dict(zip(labels, of_labels, strict=False))
        fields = {"texts": profile.texts, "files": files, "labels": named, "unlabelled": of_labels[-1]}
        return cls.model_validate(fields | buckets)

    def counts(self, labels: Sequence[str]) -> dict[str, Counts]:
        """Counts by aspect, as in a `Profile`; without those stored with other bounds than today's."""
        counts = {"label": [*(self.labels.get(label, 0) for label in labels), self.unlabelled]}
        stored: dict[str, Buckets] = {aspect: getattr(self, aspect) for aspect in BOUNDS}
        counts |= {a: list(b.counts) for a, b in stored.items() if b.bounds == BOUNDS[a]}
        return {aspect: np.array(values, dtype=np.float64) for aspect, values in counts.items()}


class Profiler:
    """Counts texts and answers of one classifier.

    Args:
        tokenizer: of the classifier.
        num_labels: C.
        thresholds: of a multi-label model, the probability from which each label is given; None is 1/2 for all.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, task: Task, num_labels: int, thresholds: Sequence[float] | None
    ) -> None:
        self._pieces_V = pieces_of_characters(tokenizer)
        self._num_labels = num_labels
        self._thresholds_C: npt.NDArray[np.float32] | None = None
        if task == "multi_label":
            self._thresholds_C = np.array(thresholds or (0.5,) * num_labels, dtype=np.float32)

    def profile(self, encoded: Sequence[Encoded], probabilities_NC: npt.NDArray[np.float32]) -> Profile:
        """Profile of at least one text; takes about a microsecond per text in batches of a hundred."""
        ids = [text.ids for text in encoded]
        lengths_N = np.array([len(row) for row in ids], dtype=np.int64)
        unknown_N = share_of_tokens(self._pieces_V, ids)
        values = {"confidence": probabilities_NC.max(axis=1), "length": lengths_N, "unknown": unknown_N}
        counts = {aspect: _count(values_N, _BOUNDS[aspect]) for aspect, values_N in values.items()}
        counts["label"] = self._count_labels(probabilities_NC)
        return Profile(len(encoded), counts, {aspect: float(values_N.sum()) for aspect, values_N in values.items()})

    def _count_labels(self, probabilities_NC: npt.NDArray[np.float32]) -> Counts:
        if self._thresholds_C is None:
            return np.bincount(probabilities_NC.argmax(axis=1), minlength=self._num_labels + 1).astype(np.float64)
        given_NC = probabilities_NC >= self._thresholds_C
        unlabelled = len(given_NC) - given_NC.any(axis=1).sum()
        return np.append(given_NC.sum(axis=0), unlabelled).astype(np.float64)


def stability_index(reference_K: Counts, observed_K: Counts) -> float:
    """Distance of two sets of counts, whatever their totals: the population stability index less its mean by chance.

    Below 0.1 is customarily taken for no change, above 0.25 for one that matters.
    Source: Siddiqi, Credit Risk Scorecards (2006), on the stability of the population; the mean by chance,
    (K - 1)(1/n + 1/m), from Yurdakul, Statistical Properties of Population Stability Index (2018). Half a text is added
    to each bucket, so that an empty one is no infinity.

    >>> counts = np.array([60.0, 40.0])
    >>> stability_index(counts * 1000, counts * 100)
    0.0
    >>> round(stability_index(counts * 1000, counts[::-1] * 1000), 3)
    0.162
    """
    p_K, q_K = ((counts_K + 0.5) / (counts_K.sum() + len(counts_K) / 2) for counts_K in (reference_K, observed_K))
    index = float(((q_K - p_K) * np.log(q_K / p_K)).sum())
    by_chance = (len(p_K) - 1) * (1 / reference_K.sum() + 1 / observed_K.sum())
    return max(0.0, index - float(by_chance))


def reference_in(metrics: Mapping[str, Any]) -> Reference | None:
    """Finds the reference in a checkpoint's `metrics.json`, if it has one.

    Raises:
        ValidationError: it has something else of that name.
    """
    stored = metrics.get("reference")
    return None if stored is None else Reference.model_validate(stored)


def _count(values_N: npt.NDArray[Any], bounds: npt.NDArray[np.float64]) -> Counts:
    return np.bincount(bounds.searchsorted(values_N), minlength=len(bounds) + 1).astype(np.float64)
