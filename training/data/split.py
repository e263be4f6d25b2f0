"""Splits a data set into training and validation texts, or into folds that are validated on in turn."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from training.data.dataset import Dataset
from training.data.duplicates import normalised
from training.errors import DataError


def split(dataset: Dataset, *, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Splits a data set into training and validation, about `fraction` of each label in the second.

    Equal texts stay on one side. Each label keeps a text in training and, if it has two different ones, has one in
    validation. A multi-label text counts for its rarest label.

    Raises:
        DataError: there are too few different texts.
    """
    strata = _strata(dataset)
    rng = np.random.default_rng(seed)
    held_out: set[int] = set()
    for _, groups in sorted(strata.items()):
        wanted = max(1.0, fraction * sum(map(len, groups)))
        taken = 0
        for place in rng.permutation(len(groups))[: len(groups) - 1]:
            if taken + len(groups[place]) / 2 > wanted and taken:
                break
            held_out.update(groups[place])
            taken += len(groups[place])
    if not held_out:
        raise DataError(
            dataset.path, "too few different texts to set some aside; give a validation file with --validation"
        )
    return (
        dataset.take(i for i in range(len(dataset)) if i not in held_out),
        dataset.take(sorted(held_out)),
    )


def fold_of(dataset: Dataset, count: int, *, seed: int) -> npt.NDArray[np.int64]:
    """The fold of each text, from 0 to `count` - 1 [N]; each label is spread evenly over the folds.

    Equal texts are in one fold. A multi-label text counts for its rarest label.

    Raises:
        DataError: there are fewer different texts than folds.
    """
    strata, rng = _strata(dataset), np.random.default_rng(seed)
    if sum(map(len, strata.values())) < count:
        raise DataError(
            dataset.path, f"fewer than {count} different texts cannot be parted into as many folds (data.folds)"
        )
    fold_N, sizes = np.zeros(len(dataset), dtype=np.int64), [0] * count
    for _, groups in sorted(strata.items()):
        of_label = [0] * count
        for place in rng.permutation(len(groups)):
            fold = min(range(count), key=lambda fold: (of_label[fold], sizes[fold]))
            of_label[fold] += len(groups[place])
            sizes[fold] += len(groups[place])
            fold_N[groups[place]] = fold
    return fold_N


def halve(dataset: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """Splits a data set into two halves; a label with two different texts has some in each.

    Equal texts stay on one side; if all are equal, each half is the whole. A label with one text is in one of the
    halves, which get equally many of these.
    """
    rng = np.random.default_rng(seed)
    halves: tuple[list[int], list[int]] = ([], [])
    for _, groups in sorted(_strata(dataset).items()):
        of_label = [0, 0]
        for place in rng.permutation(len(groups)):
            side = min((0, 1), key=lambda half: (of_label[half], len(halves[half])))
            halves[side].extend(groups[place])
            of_label[side] += len(groups[place])
    if not halves[1]:
        return dataset, dataset
    first, second = (dataset.take(sorted(half)) for half in halves)
    return first, second


def _strata(dataset: Dataset) -> dict[str, list[list[int]]]:
    """Groups of equal texts, by label."""
    counts = dataset.counts()
    groups: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(dataset.texts):
        groups[normalised(text)].append(index)
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        strata[min(dataset.labels[group[0]], key=lambda name: (counts[name], name), default="")].append(group)
    return strata


def small_labels(dataset: Dataset, *, fewer_than: int) -> list[tuple[str, int]]:
    """Labels of fewer than `fewer_than` texts with their counts, rarest first."""
    small = [(name, count) for name, count in dataset.counts().items() if count < fewer_than]
    return sorted(small, key=lambda item: (item[1], item[0]))
