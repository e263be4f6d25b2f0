"""Labelled texts: read, checked and made into label names.

A label may be of any type in the file; here it is a name. A list of labels in a row makes the set multi-label.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import Task
from training.data.tables import Table, read_table
from training.errors import DataError, Row
from training.metrics.scores import Decisions, one_hot

Names = tuple[str, ...]
"""The labels of one text: exactly one name in a single-label set, any number in a multi-label one."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled texts of one file, or a part of them.

    Attributes:
        path: the file that they come from.
        task: whether each text has one label or a set of them.
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
        """The texts at `indices`, in that order."""
        chosen = list(indices)
        return Dataset(
            self.path,
            self.task,
            [self.texts[i] for i in chosen],
            [self.labels[i] for i in chosen],
            [self.rows[i] for i in chosen],
            self.text_column,
            self.label_column,
        )

    def counts(self) -> Counter[str]:
        """Texts per label name."""
        return Counter(name for names in self.labels for name in names)


def read_dataset(path: Path, *, text_column: str, label_column: str) -> Dataset:
    """Reads a labelled file.

    Raises:
        DataError: the file or a column cannot be read, there are no rows, or a text or label is missing or unusable.
    """
    table = read_table(path, [text_column, label_column])
    values = table.columns[label_column]
    if not values:
        raise DataError(path, "has no rows")
    rows = [table.row(index) for index in range(len(values))]
    texts = [_text(table, text_column, index) for index in range(len(rows))]
    task, labels = _read_labels(table, label_column)
    return Dataset(path, task, texts, labels, rows, text_column, label_column)


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
    if all(_is_whole(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def encode_labels(dataset: Dataset, names: Sequence[str]) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
    """Targets: int64 [N], places in `names`, for single-label; float32 [N, C] of zeros and ones for multi-label.

    Raises:
        DataError: a row has a label that is not among `names`.
    """
    places = {name: place for place, name in enumerate(names)}
    for row, labels in zip(dataset.rows, dataset.labels, strict=True):
        for name in labels:
            if name not in places:
                cause = f"label '{name}' is unknown; the training set has {_shorten(names)}"
                raise DataError(dataset.path, cause, row=row, column=dataset.label_column)
    if dataset.task == "single_label":
        return np.array([places[labels[0]] for labels in dataset.labels], dtype=np.int64)
    targets_NC = np.zeros((len(dataset), len(names)), dtype=np.float32)
    for index, labels in enumerate(dataset.labels):
        targets_NC[index, [places[name] for name in labels]] = 1
    return targets_NC


def _text(table: Table, column: str, index: int) -> str:
    value = table.columns[column][index]
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and not _is_nan(value):
        return str(value)
    cause = "the text is missing" if value is None or _is_nan(value) else f"{type(value).__name__} where text is due"
    raise DataError(table.path, cause, row=table.row(index), column=column)


def _read_labels(table: Table, column: str) -> tuple[Task, list[Names]]:
    values = table.columns[column]
    if all(isinstance(value, str) and value.lstrip().startswith("[") for value in values):
        values = [_parse_list(table, column, index) for index in range(len(values))]
    multi_label = any(isinstance(value, list) for value in values)
    labels = []
    for index, value in enumerate(values):
        try:
            labels.append(_name_all(value) if multi_label else (_name(value),))
        except ValueError as error:
            raise DataError(table.path, str(error), row=table.row(index), column=column) from None
    return ("multi_label" if multi_label else "single_label"), labels


def _parse_list(table: Table, column: str, index: int) -> object:
    """A text format's list of labels, written as a JSON array."""
    try:
        return json.loads(str(table.columns[column][index]))
    except ValueError as error:
        cause = f"not a JSON array of labels: {error}"
        raise DataError(table.path, cause, row=table.row(index), column=column) from error


def _name_all(value: object) -> Names:
    if isinstance(value, list):
        return tuple(dict.fromkeys(_name(item) for item in value))
    raise ValueError("no list of labels, as other rows have")


def _name(value: object) -> str:
    """A label's name: `true` or `false`, whole numbers without a fraction, text without outer white space."""
    if value is None or _is_nan(value) or (isinstance(value, str) and not value.strip()):
        raise ValueError("the label is missing")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise ValueError(f"{type(value).__name__} where a label is due")


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isascii() and name.removeprefix("-").isdigit()


def _shorten(names: Sequence[str], limit: int = 10) -> str:
    """The first names, for a message.

    >>> _shorten(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    listed = ", ".join(f"'{name}'" for name in names[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"


def truth_of(dataset: Dataset, labels: Names) -> Decisions:
    """Which label each text has, [N, C]."""
    targets = encode_labels(dataset, labels)
    return targets > 0.5 if targets.ndim == 2 else one_hot(targets.astype(np.int64), len(labels))


def mostly_chinese(texts: Sequence[str], sample: int = 1000) -> bool:
    """Whether most letters are Chinese characters, so that spaces do not part words.

    >>> mostly_chinese(["很好看的影片 film"]), mostly_chinese(["a film called 英雄"])
    (True, False)
    """
    letters = [character for text in texts[:sample] for character in text if character.isalpha()]
    return sum("\u3400" <= letter <= "\u9fff" for letter in letters) > len(letters) / 2
