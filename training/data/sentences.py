"""Splits unlabelled reviews into sentences for the teacher.

A student has to read more words than a small labelled set holds. Reviews without labels hold them, but a teacher that
learned from sentences is inaccurate and slow on a whole review.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from tables.parquet import write_parquet
from training.data.column_names import TEXT, written
from training.data.duplicates import normalised
from training.data.files import check_apart
from training.data.fingerprints import cut
from training.data.leaks import HeldOut
from training.data.unlabeled import read_unlabeled
from training.data.variants import split_units
from training.errors import UsageError


@dataclass(frozen=True, slots=True)
class SentenceCounts:
    """Counts of texts and sentences, as the command reports them.

    Attributes:
        texts: read.
        fitting: distinct sentences of the wanted length that leak no held-out text.
        written: sentences written; fewer than `fitting` where a limit is given.
    """

    texts: int
    fitting: int
    written: int


def write_sentences(
    files: Sequence[Path],
    output: Path,
    *,
    without: Sequence[Path],
    min_words: int,
    max_words: int,
    limit: int | None,
    seed: int,
    text_column: str | None,
) -> SentenceCounts:
    """Writes the Parquet file `output` with one column: sentences of the texts in `files`, each once.

    Sentences are compared without case, punctuation and white space.

    Args:
        files: only the text column is read.
        output: is replaced.
        without: files of which nothing is to leak, by the rule of `training.data.leaks`.
        min_words, max_words: a sentence has as many words, Chinese characters and marks; others are left out.
        limit: how many to draw; None for all, in the order of the files.
        seed: of the draw, whose order is that of the files too.
        text_column: see `read_unlabeled`; what is written is called as `column_names.written` says.

    Raises:
        TableError: a file is unusable.
        UsageError: no sentence is left, or `output` is one of the files.
    """
    check_apart(output, [*files, *without])
    held_out = HeldOut.read(without, text_column=text_column)
    texts = [text for path in files for text in read_unlabeled(path, text_column=text_column)]
    fitting = list(_distinct(sentences(texts, min_words=min_words, max_words=max_words)))
    found = list(compress(fitting, ~held_out.leaking(fitting)))
    if not found:
        raise UsageError(
            f"no sentence of {min_words} to {max_words} words in {', '.join(map(str, files))}; "
            "change --min-words or --max-words"
        )
    if limit is None or limit >= len(found):
        chosen = found
    else:
        drawn = np.random.default_rng(seed).choice(len(found), size=limit, replace=False)
        chosen = [found[place] for place in np.sort(drawn)]
    write_parquet(output, {written(text_column, TEXT): chosen})
    return SentenceCounts(len(texts), len(found), len(chosen))


def sentences(texts: Iterable[str], *, min_words: int, max_words: int) -> Iterator[str]:
    """Yields sentences of so many words, Chinese characters and marks, without white space at their ends.

    >>> list(sentences(["A fine film.<br />Bad. 演员很好。"], min_words=3, max_words=9))
    ['A fine film.', '演员很好。']
    """
    for text in texts:
        for sentence in cut(text):
            if min_words <= len(split_units(sentence)) <= max_words:
                yield sentence


def _distinct(found: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for sentence in found:
        key = normalised(sentence)
        if key not in seen:
            seen.add(key)
            yield sentence
