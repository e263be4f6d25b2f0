"""Finds texts that are the same but for case, punctuation and white space."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Set

from training.data.dataset import Dataset


def normalised(text: str) -> str:
    """A key that equal texts share: letters and digits without case; all but white space where there are neither.

    >>> normalised("It's GOOD!") == normalised("its good")
    True
    >>> normalised(" :-) ")
    ':-)'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, folded)) or "".join(folded.split())


def distinct(texts: Iterable[str], *, but_not: Set[str] = frozenset()) -> list[str]:
    """Removes repeated texts, and those whose normalised form is in `but_not`; the order stays."""
    return [text for text in dict.fromkeys(texts) if not but_not or normalised(text) not in but_not]


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
