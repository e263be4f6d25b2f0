"""What the server needs of a model, and nothing else.

`model.classifier.Classifier` has all of it; a test's fake needs no more. `docs/design/0001-shape.md` tells why.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model.profile import Profile, Reference
from model.text import Encoded

Probabilities = npt.NDArray[np.float32]


class Classifier(Protocol):
    """Texts to tokens on any thread, tokens to probabilities on one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names, in the order of a row of probabilities."""

    @property
    def task(self) -> str:
        """`single_label` or `multi_label`."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the checkpoint's digest."""

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut, and say so."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was measured when it was trained; JSON."""

    @property
    def reference(self) -> Reference | None:
        """What its answers to held-out texts look like."""

    @property
    def device(self) -> str:
        """Where it computes. Classifiers with the same device take turns."""

    @property
    def dtype(self) -> str:
        """Number format of the computation."""

    @property
    def pads(self) -> bool:
        """Whether a batch costs its longest text for each of its texts."""

    def warm_up(self) -> None:
        """Does what only the first calls of `score` would have to do."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """One `Encoded` a text. Safe on several threads at a time."""

    def score(self, batch: Sequence[Encoded]) -> Probabilities:
        """One row a text, in the order of `labels`. One thread at a time."""

    def profile(self, batch: Sequence[Encoded], rows: Probabilities) -> Profile:
        """What these texts, at least one, and the rows that `score` gave them look like. Safe on several threads."""
