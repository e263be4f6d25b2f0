r"""Searches for a pattern in many texts at once.

A call of `re` takes longer than a search in a short text, so texts are joined to blocks. A pattern must not match
white space with `\s` beyond the text, nor the zero that parts two texts.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from training.data.fingerprints import batches

SEPARATOR = "\0"


def matching(texts: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> list[list[int]]:
    """Places of the texts that hold a match of each pattern, in order."""
    found: list[list[int]] = [[] for _ in patterns]
    for start, block, begins in _blocks(texts):
        for places, pattern in zip(found, patterns, strict=True):
            offsets = [match.start() for match in pattern.finditer(block)]
            places += np.unique(start + np.searchsorted(begins, offsets, side="right") - 1).tolist()
    return found


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, str, np.ndarray[tuple[int], np.dtype[np.int64]]]]:
    """The place of the first text of a block, the block, and where in it each text begins."""
    for part in batches(texts):
        chosen = [text.replace(SEPARATOR, "\x01") if SEPARATOR in text else text for text in texts[part]]
        lengths = np.fromiter(map(len, chosen), dtype=np.int64, count=len(chosen)) + 1
        yield part.start, SEPARATOR.join(chosen), lengths.cumsum() - lengths


def where(texts: Sequence[str], test: Callable[[str], object]) -> list[int]:
    """Places of the texts for which `test` is true."""
    return [place for place, text in enumerate(texts) if test(text)]
