"""Files to be inspected, prepared once for all checks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from training.data.dataset import Dataset
from training.data.fingerprints import Keys, batches, word_runs
from training.data.tokenizer import TokenizerConfig
from training.inspection.finding import Finding

SAMPLE_CHARACTERS = 10_000_000
"""Checks that take each word in Python look at texts of at most so many characters, evenly over the file."""


@dataclass(frozen=True)
class Material:
    """A labelled file with all that checks need of it.

    Attributes:
        role: `train`, `validation` or `test`.
        dataset: its rows.
        held_out: the other files by role, where this is the training file.
        tokenizer: settings of the one that is learned, and the length at which texts are cut.
        given: a tokenizer that is there; None learns one from a part of the texts.
        languages: finds out the languages of texts too, which takes seconds.
        masked: true if e-mail addresses and telephone numbers will be masked in the training texts.
    """

    role: str
    dataset: Dataset
    held_out: Mapping[str, Dataset]
    tokenizer: TokenizerConfig
    given: Tokenizer | None = None
    languages: bool = False
    masked: bool = False

    @cached_property
    def text_N(self) -> Keys:
        """A fingerprint of each text, equal for texts that differ in case, punctuation and white space only."""
        texts = self.dataset.texts
        return np.concatenate([np.zeros(0, np.uint64), *(word_runs(texts[part]).text_N for part in batches(texts))])

    @cached_property
    def sample(self) -> list[int]:
        """Places of texts with at most `SAMPLE_CHARACTERS` characters in all, evenly over the file."""
        size = sum(map(len, self.dataset.texts))
        step = max(1, -(-size // SAMPLE_CHARACTERS))
        return list(range(0, len(self.dataset), step))


Check = Callable[[Material], Iterable[Finding]]
"""Looks at a file and gives what it finds; each finding is about one file."""
