"""Reads texts without labels, and adds them to the training texts of a run."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tables.reader import read_batches
from training.data.corpus import Corpus, DataFile
from training.data.duplicates import distinct, normalised
from training.data.files import digest_of, shown_path
from training.data.personal import mask_personal
from training.errors import DataError


def read_unlabeled(path: Path, *, text_column: str) -> list[str]:
    """Reads the texts of a file; rows without one are passed over.

    Raises:
        TableError: the file or its column cannot be read.
        DataError: there is no text.
    """
    batches = read_batches(path, [text_column])
    texts = [
        value for batch in batches for value in batch.values(text_column) if isinstance(value, str) and value.strip()
    ]
    if not texts:
        raise DataError(path, "has no texts", column=text_column)
    return texts


def with_unlabeled(
    corpus: Corpus, names: Sequence[str], *, text_column: str, data_root: Path, mask: bool = False
) -> Corpus:
    """Adds the texts of these files to the corpus as its `unlabeled`, each once, and records the files.

    A text that validation or test has is left out: what a model is measured on has no part in making it, not even
    without its label. `mask` masks e-mail addresses and telephone numbers first.

    Raises:
        TableError: a file cannot be read, or (as `DataError`) has no text that is left.
    """
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
