"""The interface of a method that `compare` fits: it learns from a corpus, then gives logits for texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rich.console import Console

from training.config.request import Request
from training.data.corpus import Corpus
from training.errors import TrainingError

Floats = npt.NDArray[np.floating[Any]]


class Unavailable(TrainingError):
    """A method cannot take part here; the message says why, and the others go on."""


class Fitted(Protocol):
    """A method that has learned.

    Attributes:
        size_bytes: on disk, with everything that it needs to answer.
        choice: what was chosen on validation, for the table; may be empty.
    """

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, as described above."""
        ...

    @property
    def choice(self) -> str:
        """Settings that validation chose, as described above."""
        ...

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits [len(texts), labels], uncalibrated."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """The texts and limits that are the same for all methods.

    Attributes:
        request: settings of the networks, and where the data are.
        corpus: `train` to learn from, `stopping` to choose by; nothing else is a method's to see.
        device: of the networks.
        budget_s: seconds that one fit may take, as nearly as the method can tell; None is no limit.
        scratch: a folder for passing files.
        console: for a person to watch.
    """

    request: Request
    corpus: Corpus
    device: str
    budget_s: float | None
    scratch: Path
    console: Console


@dataclass(frozen=True, slots=True)
class Contender:
    """A method of a comparison under its name.

    Attributes:
        name: for `--only`.
        title: for the table.
        fit: learns, with a seed.
        seeded: whether another seed gives another result; if not, one fit is enough.
        weighs: whether it learns from weights of texts and probabilities of labels; if not, from each text alike and
            from its most probable label.
    """

    name: str
    title: str
    fit: Callable[[FitContext, int], Fitted]
    seeded: bool
    weighs: bool = True
