"""Agreement of two judges about the same texts, beyond what chance would give."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from training.metrics.intervals import Interval, wilson_interval


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Agreement about the texts that the second judge gave one label.

    Attributes:
        label: that label.
        num_agreed, total: texts that the first judge gave it too, and all of them.
        interval: 95% interval of the share.
    """

    label: str
    num_agreed: int
    total: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two judges.

    Attributes:
        num_agreed, total: texts that both gave the same label, and all texts.
        interval: 95% interval of the share, Wilson's.
        kappa: Cohen's kappa: 1 for full agreement, 0 for chance; None if both gave one label only.
        labels: of either judge, sorted.
        confusion: texts by the first judge's label (row) and the second's (column), in the order of `labels`.
    """

    num_agreed: int
    total: int
    interval: Interval
    kappa: float | None
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def share(self) -> float:
        """Share of the texts that both gave the same label, 0 to 1."""
        return self.num_agreed / self.total

    def by_label(self) -> list[LabelAgreement]:
        """Agreement about each label that the second judge gave."""
        columns = list(zip(*self.confusion, strict=True))
        return [
            LabelAgreement(label, column[place], sum(column), wilson_interval(column[place], sum(column)))
            for place, (label, column) in enumerate(zip(self.labels, columns, strict=True))
            if sum(column)
        ]


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Agreement of two judges about at least one text, each with the label of either.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales".

    >>> found = agreement([("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")])
    >>> found.share, found.kappa, found.confusion
    (0.75, 0.5, ((1, 1), (0, 2)))
    """
    labels = tuple(sorted({label for pair in pairs for label in pair}))
    counts, total = Counter(pairs), len(pairs)
    confusion = tuple(tuple(counts[first, second] for second in labels) for first in labels)
    num_agreed = sum(counts[label, label] for label in labels)
    columns = zip(*confusion, strict=True)
    chance = sum(sum(row) * sum(column) for row, column in zip(confusion, columns, strict=True)) / total**2
    kappa = (num_agreed / total - chance) / (1 - chance) if len(labels) > 1 and chance < 1 else None
    return Agreement(num_agreed, total, wilson_interval(num_agreed, total), kappa, labels, confusion)
