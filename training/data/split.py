"""Splits training from validation texts, and finds texts that are on both sides."""

import unicodedata
from collections import defaultdict
from collections.abc import Set

import numpy as np

from training.data.dataset import Dataset
from training.errors import DataError


def normalised(text: str) -> str:
    """A key that equal texts share: letters and digits without case; all but white space where there are neither.

    >>> normalised("It's GOOD!") == normalised("its good")
    True
    >>> normalised(" :-) ")
    ':-)'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, folded)) or "".join(folded.split())


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
        raise DataError(dataset.path, "too few different texts to set some aside; give a validation file")
    return (
        dataset.take(i for i in range(len(dataset)) if i not in held_out),
        dataset.take(sorted(held_out)),
    )


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


def num_shared(dataset: Dataset, seen: Set[str]) -> int:
    """Number of texts of `dataset` whose normalised form is in `seen`."""
    return sum(normalised(text) in seen for text in dataset.texts)


def num_contradictions(dataset: Dataset) -> int:
    """Number of texts that also occur in the set with another label."""
    keys = [normalised(text) for text in dataset.texts]
    labels: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for key, names in zip(keys, dataset.labels, strict=True):
        labels[key].add(tuple(sorted(names)))
    return sum(len(labels[key]) > 1 for key in keys)


def small_labels(dataset: Dataset, *, fewer_than: int) -> list[tuple[str, int]]:
    """Labels of fewer than `fewer_than` texts with their counts, rarest first."""
    small = [(name, count) for name, count in dataset.counts().items() if count < fewer_than]
    return sorted(small, key=lambda item: (item[1], item[0]))
