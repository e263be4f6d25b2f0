"""Contract between the server and a model.

`model.classifier.Classifier` has all of it; a test's fake needs no more. `docs/design/0001-shape.md` tells why.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model.config import PrecisionThreshold
from model.profile import Profile, Reference
from model.text import Encoded

Probabilities = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]


class Classifier(Protocol):
    """Texts to tokens on any thread, tokens to probabilities on one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, in the order of a row of probabilities."""

    @property
    def task(self) -> str:
        """Kind of task: `single_label` or `multi_label`."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the checkpoint's digest."""

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
        """Device that computes, such as `cpu` or `cuda:0`. Classifiers with the same device take turns."""

    @property
    def dtype(self) -> str:
        """Number format of the computation."""

    @property
    def pads(self) -> bool:
        """True if a batch costs its longest text for each of its texts."""

    def warm_up(self) -> None:
        """Does the work that would slow the first batches."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text, in order. Safe on several threads at a time."""

    def logits(self, batch: Sequence[Encoded]) -> Logits:
        """Calibrated logits of shape (texts, labels). Call it on one thread at a time."""

    def probabilities(self, logits: Logits) -> Probabilities:
        """Softmax, or for multi-label a sigmoid each, of calibrated logits. Safe on several threads."""

    def profile(self, batch: Sequence[Encoded], rows: Probabilities) -> Profile:
        """Profile of at least one text and their probabilities. Safe on several threads."""
