"""Labelled texts of a file, and their labels as targets."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import Task
from tables.errors import Row
from tables.labels import Names, is_whole_number, read_labels, read_texts
from tables.reader import read_columns
from training.errors import DataError
from training.metrics.decisions import Decisions, one_hot


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled texts of one file, or a part of them.

    Attributes:
        path: the file that they come from.
        task: one label a text, or a set of labels.
        texts: as in the file.
        labels: names of each text's labels, distinct and in the file's order.
        rows: each text's place in the file.
        text_column, label_column: where they stand.
    """

    path: Path
    task: Task
    texts: list[str]
    labels: list[Names]
    rows: list[Row]
    text_column: str
    label_column: str

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Iterable[int]) -> "Dataset":
        """Takes the texts at `indices`, in that order."""
        chosen = list(indices)
        return replace(
            self,
            texts=[self.texts[i] for i in chosen],
            labels=[self.labels[i] for i in chosen],
            rows=[self.rows[i] for i in chosen],
        )

    def counts(self) -> Counter[str]:
        """Number of texts of each label name."""
        return Counter(name for names in self.labels for name in names)


def read_dataset(path: Path, *, text_column: str, label_column: str) -> Dataset:
    """Reads a labelled file.

    Raises:
        TableError: the file or a column cannot be read, or a text or label is missing or unusable.
        DataError: there are no rows.
    """
    texts, labels = read_columns(path, [text_column, label_column])
    if not texts.values:
        raise DataError(path, "has no rows")
    checked = read_texts(texts)
    names, multi_label = read_labels(labels)
    task: Task = "multi_label" if multi_label else "single_label"
    return Dataset(path, task, checked, names, texts.rows, text_column, label_column)


def label_names(dataset: Dataset) -> Names:
    """The distinct names in a stable order: by value if all are whole numbers, else by code point.

    Raises:
        DataError: too few to tell apart.
    """
    names = dataset.counts().keys()
    needed = 2 if dataset.task == "single_label" else 1
    if len(names) < needed:
        cause = f"{len(names)} distinct label(s); a classifier needs at least {needed}"
        raise DataError(dataset.path, cause, column=dataset.label_column)
    if all(is_whole_number(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def encode_labels(dataset: Dataset, names: Sequence[str]) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
    """Encodes labels as targets: int64 [N] for single-label; float32 [N, C] of zeros and ones for multi-label.

    Raises:
        DataError: a row has a label that is not among `names`.
    """
    places = {name: place for place, name in enumerate(names)}
    for row, labels in zip(dataset.rows, dataset.labels, strict=True):
        for name in labels:
            if name not in places:
                known = list_some([f"'{label}'" for label in names], 10)
                cause = f"label '{name}' is unknown; the training set has {known}"
                raise DataError(dataset.path, cause, row=row, column=dataset.label_column)
    if dataset.task == "single_label":
        return np.array([places[labels[0]] for labels in dataset.labels], dtype=np.int64)
    targets_NC = np.zeros((len(dataset), len(names)), dtype=np.float32)
    for index, labels in enumerate(dataset.labels):
        targets_NC[index, [places[name] for name in labels]] = 1
    return targets_NC


def list_some(items: Sequence[str], limit: int) -> str:
    """Lists the first items, for a message.

    >>> list_some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def truth_of(dataset: Dataset, labels: Names) -> Decisions:
    """True where a text has a label, bool [N, C]."""
    targets = encode_labels(dataset, labels)
    return targets > 0.5 if targets.ndim == 2 else one_hot(targets.astype(np.int64), len(labels))


def mostly_chinese(texts: Sequence[str], sample: int = 1000) -> bool:
    """Tells Chinese texts, where no spaces part the words, by most of their letters.

    >>> mostly_chinese(["很好看的影片 film"]), mostly_chinese(["a film called 英雄"])
    (True, False)
    """
    letters = [character for text in texts[:sample] for character in text if character.isalpha()]
    return sum("\u3400" <= letter <= "\u9fff" for letter in letters) > len(letters) / 2
