"""Reads texts without labels, and adds them to the training texts of a run."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tables.columns import choose_texts
from tables.reader import read_batches
from training.data.corpus import Corpus, DataFile
from training.data.duplicates import distinct, normalised
from training.data.files import digest_of, shown_path
from training.data.personal import mask_personal
from training.errors import DataError


def read_unlabeled(path: Path, *, text_column: str | None) -> list[str]:
    """Reads the texts of a file; rows without one are passed over.

    Args:
        path: the file; see `tables.sources.find_parts`.
        text_column: names of columns, several with commas between them, which are joined; None finds it.

    Raises:
        TableError: the file or its column cannot be read.
        DataError: there is no text.
    """
    columns = choose_texts(path, text_column)
    texts = []
    for batch in read_batches(path, columns):
        rows = zip(*map(batch.values, columns), strict=True)
        parts = ([value for value in row if isinstance(value, str) and value.strip()] for row in rows)
        texts += ["\n".join(found) for found in parts if found]
    if not texts:
        raise DataError(path, "has no texts", column=", ".join(columns))
    return texts


def with_unlabeled(
    corpus: Corpus, names: Sequence[str], *, text_column: str | None, data_root: Path, mask: bool = False
) -> Corpus:
    """Adds the texts of these files to the corpus as its `unlabeled`, each once, and records the files.

    A text that validation or test has is left out: what a model is measured on has no part in making it, not even
    without its label. `mask` masks e-mail addresses and telephone numbers first.

    Raises:
        TableError: a file cannot be read, or (as `DataError`) has no text that is left.
    """
    if not names:
        return corpus
    seen = {normalised(text) for dataset in corpus.held_out.values() for text in dataset.texts}
    files, texts = dict(corpus.files), list(corpus.unlabeled)
    for number, path in enumerate(map(Path, names), 1):
        found = read_unlabeled(path, text_column=text_column)
        kept = distinct(map(mask_personal, found) if mask else found, but_not=seen)
        if not kept:
            raise DataError(path, "every text in it also occurs in validation, test or an earlier file")
        seen |= set(map(normalised, kept))
        texts += kept
        shown = shown_path(path, data_root)
        files[f"unlabeled {number}"] = DataFile(file=shown, sha256=digest_of(path), rows=len(kept), labels={})
    return dataclasses.replace(corpus, files=files, unlabeled=tuple(texts))
