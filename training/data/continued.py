"""A checkpoint whose labels a run keeps, and the fit of training texts to them."""

from dataclasses import dataclass

from model.config import Task
from tables.label_names import spelling_key
from tables.labels import Names
from training.data.dataset import Dataset, list_some
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class Continued:
    """A checkpoint that a run goes on from, whose labels stay.

    Attributes:
        name: of its folder.
        task: one label a text, or a set of labels.
        labels: in the order of its head.
    """

    name: str
    task: Task
    labels: Names


def check_continues(train: Dataset, continued: Continued) -> None:
    """Refuses texts with several labels each for a checkpoint that gives one.

    Of a checkpoint that gives sets of labels the texts were read as having such, whatever they look like.

    Raises:
        DataError: says what to do.
    """
    if train.task != continued.task:
        cause = (
            f"has several labels a text, but the checkpoint {continued.name} gives one; give one label a text, or "
            "--drop-old-labels to take the layers of the checkpoint alone"
        )
        raise DataError(train.path, cause, column=train.label_column)


def warnings_continued(train: Dataset, kept: Names) -> list[str]:
    """Warnings about the labels of a checkpoint that are kept, beside those of the training texts."""
    counts = train.counts()
    spelled = {spelling_key(label): label for label in kept}
    warnings = [
        f"label '{label}' is new, but differs from '{old}' of the checkpoint in spelling only"
        for label in sorted(counts.keys() - set(kept))
        if (old := spelled.get(spelling_key(label))) is not None
    ]
    if lacking := [label for label in kept if not counts[label]]:
        warnings.append(
            f"no training text has {len(lacking)} label(s) of the checkpoint ({list_some(lacking, 5)}): how well they "
            "are kept only a --test file with texts of them shows"
        )
    return warnings
