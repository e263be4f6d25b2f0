"""Contract between the server and a model.

`model.classifier.Classifier` has all of it, `model.embedder.Embedder` all but labels; a test's fake needs no more.
`docs/design/0001-shape.md` tells why.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from model.config import PrecisionThreshold
from model.profile import Profile, Reference
from model.text import Encoded

Probabilities = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]


class Scorer(Protocol):
    """Texts to tokens on any thread, tokens to numbers on one: the part that a batcher needs."""

    @property
    def max_tokens(self) -> int:
        """Longest text in tokens; longer ones are cut, and say so."""

    @property
    def device(self) -> str:
        """Device that computes, such as `cpu` or `cuda:0`. Scorers with the same device take turns."""

    @property
    def pads(self) -> bool:
        """True if a batch costs its longest text for each of its texts."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text, in order. Safe on several threads at a time."""

    def logits(self, batch: Sequence[Encoded]) -> Logits:
        """Numbers of shape (texts, width): calibrated logits, or sentence vectors. Call it on one thread at a time."""

    def probabilities(self, logits: Logits) -> Probabilities:
        """Softmax, or for multi-label a sigmoid each, of calibrated logits; of vectors themselves. Any thread."""


class Embedder(Protocol):
    """Loaded folder that gives sentence vectors; where it has labels, it is a `Classifier`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, in the order of a row of probabilities; none where it gives vectors alone."""

    @property
    def task(self) -> str:
        """Kind of task: `single_label`, `multi_label` or `embedding`."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the folder's digest."""

    @property
    def max_tokens(self) -> int:
        """Longest text in tokens; longer ones are cut, and say so."""

    @property
    def precision_thresholds(self) -> Sequence[PrecisionThreshold]:
        """Probabilities from which answers are right in a share of cases, by rising share; empty if not measured."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Figures measured when it was trained; JSON."""

    @property
    def reference(self) -> Reference | None:
        """Profile of its answers to held-out texts, if the checkpoint has one."""

    @property
    def device(self) -> str:
        """Device that computes, such as `cpu` or `cuda:0`."""

    @property
    def dtype(self) -> str:
        """Number format of the computation."""

    @property
    def vector_size(self) -> int:
        """Numbers of a sentence vector."""

    @property
    def pads_vectors(self) -> bool:
        """True if a batch of vectors costs its longest text for each of its texts."""

    def warm_up(self) -> None:
        """Does the work that would slow the first batches."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text, in order. Safe on several threads at a time."""

    def vectors(self, batch: Sequence[Encoded]) -> Vectors:
        """Sentence vectors of shape (texts, vector_size), of any length. Call it on one thread at a time."""


class Classifier(Embedder, Scorer, Protocol):
    """Loaded checkpoint: its scores are calibrated logits, and their probabilities."""

    def profile(self, batch: Sequence[Encoded], rows: Probabilities) -> Profile:
        """Profile of at least one text and their probabilities. Safe on several threads."""


def classifies(model: Embedder) -> TypeGuard[Classifier]:
    """True if it has labels to give."""
    return bool(model.labels)


class VectorScorer:
    """Sentence vectors as the scores of a batcher of their own.

    Args:
        model: whose vectors they are.
    """

    def __init__(self, model: Embedder) -> None:
        self._model = model
        self.max_tokens, self.device, self.pads = model.max_tokens, model.device, model.pads_vectors

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text, in order."""
        return self._model.encode(texts)

    def logits(self, batch: Sequence[Encoded]) -> Vectors:
        """Sentence vectors of shape (texts, vector_size), of any length."""
        return self._model.vectors(batch)

    def probabilities(self, logits: Vectors) -> Vectors:
        """Returns the vectors as they are."""
        return logits
