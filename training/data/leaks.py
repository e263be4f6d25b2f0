"""Finds training texts that give away held-out ones: equal texts, shared sentences, shared n-grams.

One rule for `mix`, `sentences` and `leaks`. A training text leaks a held-out text if

- both are equal, whatever their length;
- they share a sentence of 4 words or more (8 Chinese characters), unless it is a stock phrase: of fewer than 8 words
  and less than half of either text, as "I highly recommend this film" in two long reviews;
- they share 13 words in a row, or 20 units one of which is a Chinese character.

Repetition is no evidence: the 4 words must be distinct, and half of the units of an n-gram.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.fingerprints import Fingerprints, Keys, Marks, Places, batches, fingerprints
from training.data.unlabeled import read_unlabeled

MIN_WORDS = 4
"""A shorter sentence that two texts share says nothing."""

STOCK_WORDS = 8
"""From this length on a shared sentence is no stock phrase. Source: the least n of Brown et al. 2020, appendix C."""

STOCK_SHARE = 0.5
"""A sentence that makes up this part of a text gives it away, however short it is."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Matches between a batch of N training texts and the held-out ones.

    Attributes:
        leaking_N: the texts that leak one.
        texts, main, minor, ngrams: places in the held-out `Index` of what was found; `main` are sentences that are
            long or a main part of their training text, `minor` the others.
    """

    leaking_N: Marks
    texts: Places
    main: Places
    minor: Places
    ngrams: Places


class Index:
    """Distinct fingerprints of held-out texts, and the texts in which they stand.

    Args:
        keys: fingerprints, with repetitions.
        texts: the place of the text of each.
    """

    def __init__(self, keys: Keys, texts: Places) -> None:
        self._keys, place = np.unique(keys, return_inverse=True)
        self.places, self.texts = place.astype(np.int32), texts.astype(np.int32)
        # Most of what is looked up is not there, and one look into a table of bits costs less than a binary search.
        self._mask = np.uint64(2 ** int(np.ceil(np.log2(8 * len(self._keys) + 1))) - 1)
        self._taken = np.zeros(int(self._mask) + 1, dtype=np.bool_)
        self._taken[self._keys & self._mask] = True

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, keys: Keys) -> tuple[Places, Places]:
        """Finds fingerprints: which of `keys` are here, and their places in the index."""
        rows = np.flatnonzero(self._taken[keys & self._mask])
        places = np.minimum(np.searchsorted(self._keys, keys[rows]), max(0, len(self) - 1))
        here = self._keys[places] == keys[rows] if len(self) else np.zeros(0, dtype=np.bool_)
        return rows[here], places[here]

    def touched(self, found: Marks, num_texts: int, only: Marks | None = None) -> Marks:
        """Marks held-out texts that have a fingerprint marked in `found`, by its place; `only` limits the entries."""
        marks = np.zeros(num_texts, dtype=np.bool_)
        entries = found[self.places] if only is None else found[self.places] & only
        marks[self.texts[entries]] = True
        return marks


class HeldOut:
    """Held-out texts, prepared for comparison with any number of training texts.

    Args:
        files: their texts, by the name to be shown; 60,000 reviews need about 300 MB.
    """

    def __init__(self, files: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(files)
        self.rows = tuple(len(texts) for texts in files.values())
        texts = [text for found in files.values() for text in found]
        parts = [(part.start, fingerprints(texts[part], varied=True)) for part in batches(texts)]
        told = [part.varied_S >= MIN_WORDS for _, part in parts if part.varied_S is not None]
        varied = [part.varied_G for _, part in parts if part.varied_G is not None]
        self.texts = _index((part.text_N, start + np.arange(len(part.text_N))) for start, part in parts)
        self.sentences = _index(
            (part.sentence_S[kept], start + part.sentence_text_S[kept])
            for (start, part), kept in zip(parts, told, strict=True)
        )
        self.ngrams = _index(
            (part.ngram_G[kept], start + part.ngram_text_G[kept])
            for (start, part), kept in zip(parts, varied, strict=True)
        )
        minor = [_minor(part)[kept] for (_, part), kept in zip(parts, told, strict=True)]
        self.stock = np.concatenate([np.zeros(0, dtype=np.bool_), *minor])
        """Marks of the entries of `sentences` that are short and less than half of their held-out text."""
        self._telling = np.zeros(len(self.sentences), dtype=np.bool_)
        self._telling[self.sentences.places[~self.stock]] = True

    @classmethod
    def read(
        cls, paths: Sequence[Path], *, text_column: str | None, change: Callable[[str], str] | None = None
    ) -> "HeldOut":
        """Reads the texts of files, which are shown as `source_names` has them; `change` is applied to each.

        Raises:
            TableError: a file cannot be read.
        """
        names = source_names(paths)
        files = {name: read_unlabeled(path, text_column=text_column) for name, path in zip(names, paths, strict=True)}
        return cls(files if change is None else {name: list(map(change, texts)) for name, texts in files.items()})

    def match(self, texts: Sequence[str]) -> Matches:
        """Compares a batch of training texts with all held-out ones."""
        found = fingerprints(texts)
        leaking_N = np.zeros(len(texts), dtype=np.bool_)
        rows, whole = self.texts.find(found.text_N)
        leaking_N[rows] = True
        rows, ngrams = self.ngrams.find(found.ngram_G)
        leaking_N[found.ngram_text_G[rows]] = True
        rows, sentences = self.sentences.find(found.sentence_S)
        minor = _minor(found)[rows]
        leaking_N[found.sentence_text_S[rows[~minor | self._telling[sentences]]]] = True
        return Matches(leaking_N, whole, sentences[~minor], sentences[minor], ngrams)

    def leaking(self, texts: Sequence[str]) -> Marks:
        """Marks the training texts [N] that leak a held-out text."""
        return np.concatenate(
            [np.zeros(0, dtype=np.bool_), *(self.match(texts[part]).leaking_N for part in batches(texts))]
        )


def source_names(paths: Sequence[Path]) -> list[str]:
    """The sources of texts: each file's folder and name, as public sets are told apart by their folders.

    Different files that would be called alike have further folders before.

    >>> source_names([Path("/sets/a/test.csv"), Path("/sets/b/test.csv"), Path("/sets/c/data/1.csv")])
    ['a/test.csv', 'b/test.csv', 'data/1.csv']
    >>> source_names([Path("/sets/a/data/1.csv"), Path("/sets/b/data/1.csv")])
    ['a/data/1.csv', 'b/data/1.csv']
    """
    parts = [(*path.resolve().parent.parts, path.name or path.resolve().name) for path in paths]
    depths, alike = dict.fromkeys(parts, 1), parts
    names: dict[tuple[str, ...], str] = {}
    while alike:
        depths |= {each: depths[each] + 1 for each in alike}
        names = {each: Path(*each[-depth:]).as_posix() for each, depth in depths.items()}
        counts = Counter(names.values())
        alike = [each for each, name in names.items() if counts[name] > 1]
    return [names[each] for each in parts]


def _index(parts: Iterable[tuple[Keys, Places]]) -> Index:
    listed = [(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)), *parts]
    return Index(np.concatenate([keys for keys, _ in listed]), np.concatenate([texts for _, texts in listed]))


def _minor(found: Fingerprints) -> Marks:
    """Marks sentences [S] that are short and less than half of their text."""
    short_S = found.sentence_words_S < STOCK_WORDS
    marks: Marks = short_S & (found.sentence_words_S < STOCK_SHARE * found.words_N[found.sentence_text_S])
    return marks
