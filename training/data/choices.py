"""The labels among which each text is judged: those of the set that it comes from.

A mixture of sets with different labels says nothing of the labels that a set lacks. In a set of positive and negative
reviews no text is known not to be neutral: a softmax over three labels would teach that none is.

Shape suffixes: N texts, C labels.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tables.labels import Names
from tables.reader import read_columns
from training.data.config import DataConfig
from training.data.dataset import Dataset

Allowed = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

NEVER = -1e4
"""Logit of a label that a text cannot have: its probability is 0 in any number format, and finite in a product."""


def with_choices(dataset: Dataset, source_column: str | None = None) -> Dataset:
    """The data set with the choices of each text: the labels of its source, which is the column's value or the file.

    A source of one label (plain facts, all neutral) chooses among all, else it would teach nothing.

    Raises:
        MissingColumnError: the file has no such column.
    """
    found = sources(dataset, source_column)
    labels: dict[object, dict[str, None]] = {}
    for source, names in zip(found, dataset.labels, strict=True):
        labels.setdefault(source, {}).update(dict.fromkeys(names))
    choices: dict[object, Names] = {source: tuple(names) if len(names) > 1 else () for source, names in labels.items()}
    return replace(dataset, choices=[choices[source] for source in found])


def sources(dataset: Dataset, source_column: str | None) -> list[object]:
    """The value of a column for each text; None for all if no column is named.

    Raises:
        MissingColumnError: the file has no such column.
    """
    if source_column is None:
        return [None] * len(dataset)
    (column,) = read_columns(dataset.source, [source_column], sheet=dataset.sheet)
    values = dict(zip(column.rows, column.values, strict=True))
    return [values[row] for row in dataset.rows]


def text_weights(dataset: Dataset, config: DataConfig) -> Floats | None:
    """Weight of each text [N] in the loss, 1 in the mean: its own in the file, times that of its source.

    A source of n texts counts as n ** `source_power` of them.

    Returns:
        None if all weigh alike.

    Raises:
        MissingColumnError: the file has no such column.
    """
    if config.source_power == 1 and dataset.weights is None:
        return None
    weights_N = np.ones(len(dataset), dtype=np.float32) if dataset.weights is None else dataset.weights.copy()
    if config.source_power != 1:
        found = sources(dataset, config.source_column)
        counts = Counter(found)
        weights_N *= np.array([counts[source] ** (config.source_power - 1) for source in found], dtype=np.float32)
    return weights_N / np.float32(weights_N.mean(dtype=np.float64))  # the sum may be beyond float32


def allowed_labels(dataset: Dataset, labels: Names) -> Allowed:
    """Marks the labels [N, C] among which each text is judged."""
    if dataset.choices is None:
        return np.ones((len(dataset), len(labels)), dtype=np.bool_)
    rows = {choices: [not choices or name in choices for name in labels] for choices in set(dataset.choices)}
    return np.array([rows[choices] for choices in dataset.choices], dtype=np.bool_).reshape(len(dataset), len(labels))


def among(logits_NC: Floats, allowed_NC: Allowed | None) -> Floats:
    """The logits with `NEVER` in place of those of labels that a text cannot have; None allows all."""
    return logits_NC if allowed_NC is None else np.where(allowed_NC, logits_NC, np.float32(NEVER))
