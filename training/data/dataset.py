"""Labelled texts of a file, and their labels as targets."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import Task
from tables.columns import Columns, choose_columns
from tables.errors import Row
from tables.label_names import is_whole_number, label_name, spelling_key
from tables.label_numbers import Shares
from tables.labels import DEFAULT, LabelRules, Names, read_label_columns, read_texts
from tables.reader import Column, read_columns
from tables.reading import Places, count
from tables.sources import name_of
from tables.weights import read_weights
from training.errors import DataError
from training.metrics.decisions import Decisions, one_hot


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled texts of one file, or a part of them.

    Attributes:
        path: the file that they come from; of several files all of them (`tables.sources.name_of`).
        task: one label a text, or a set of labels.
        texts: as in the file.
        labels: names of each text's labels, distinct and in the file's order.
        rows: each text's place in the file.
        text_column, label_column: where they stand.
        separator: between several labels in one value; empty if there is none.
        warnings: what was left out or is doubtful in the file, one sentence each.
        choices: the labels among which each text is judged, all where there are none; None is all for every text. See
            `training.data.choices`.
        without_text, without_label: rows left out because they have no text, or a text and no usable label.
        weightless: rows left out because their weight is 0.
        misread: rows with fewer or more fields than the header; those with more are left out.
        shares: probabilities of labels, where the file has them; `labels` are then the most probable ones.
        weights: float32 [N], of each text in the loss, 0 or more; None is 1 for all.
        columns: of texts and labels.
        files: that it was read from, as they were named; none is `path` alone.
        sheet: of a spreadsheet.
    """

    path: Path
    task: Task
    texts: list[str]
    labels: list[Names]
    rows: list[Row]
    text_column: str
    label_column: str
    separator: str = ""
    warnings: list[str] = field(default_factory=list)
    choices: list[Names] | None = None
    without_text: Places = field(default_factory=Places)
    without_label: Places = field(default_factory=Places)
    weightless: Places = field(default_factory=Places)
    misread: Places = field(default_factory=Places)
    shares: Shares | None = None
    weights: npt.NDArray[np.float32] | None = None
    columns: Columns = field(default_factory=Columns)
    files: tuple[Path, ...] = ()
    sheet: str | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def source(self) -> tuple[Path, ...]:
        """The files that it was read from, as they were named."""
        return self.files or (self.path,)

    @property
    def file_names(self) -> str:
        """The names of the files, without their folders."""
        return ", ".join(name_of(path).name for path in self.source)

    def take(self, indices: Iterable[int]) -> "Dataset":
        """Takes the texts at `indices`, in that order."""
        chosen = list(indices)
        return replace(
            self,
            texts=[self.texts[i] for i in chosen],
            labels=[self.labels[i] for i in chosen],
            rows=[self.rows[i] for i in chosen],
            choices=None if self.choices is None else [self.choices[i] for i in chosen],
            shares=None if self.shares is None else self.shares.take(chosen),
            weights=None if self.weights is None else self.weights[chosen],
        )

    def counts(self) -> Counter[str]:
        """Number of texts of each label name."""
        return Counter(name for names in self.labels for name in names)


def read_dataset(
    source: Path | Sequence[Path],
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    weight_column: str | None = None,
    sheet: str | None = None,
    rules: LabelRules = DEFAULT,
    prefer: Columns | None = None,
) -> Dataset:
    """Reads a labelled table; rows without a text or a label are left out, and `warnings` count them.

    Args:
        source, text_column, label_column, sheet, prefer: see `tables.columns.choose_columns`.
        weight_column: of a weight for each row.
        rules: how labels are read.

    Raises:
        TableError: the file or a column cannot be read, or holds something that is no text or label.
        DataError: no row has a text and a label.
    """
    weight = [] if weight_column is None else [weight_column]
    columns = choose_columns(source, text_column, label_column, sheet=sheet, prefer=prefer, but_not=weight)
    read = read_columns(source, [*columns.texts, *columns.labels, *weight], sheet=sheet)
    texts, path = read[0], read[0].path
    if not texts.values:
        raise DataError(path, "has no rows")
    by_place, blank = _texts_by_place(read[: len(columns.texts)])
    found = read_label_columns(read[len(columns.texts) :][: len(columns.labels)], rules, list(by_place))
    if not found.kept:
        raise DataError(path, f"no row has both a '{columns.of_texts}' and a '{columns.of_labels}'")
    return Dataset(
        path,
        "multi_label" if found.multi_label else "single_label",
        [by_place[place] for place in found.kept],
        found.names,
        [texts.rows[place] for place in found.kept],
        columns.of_texts,
        columns.of_labels,
        found.separator,
        [*texts.warnings, *_warnings(columns, blank), *found.warnings],
        without_text=blank,
        without_label=_left_out(texts.rows, by_place, found.kept),
        misread=texts.misread,
        shares=found.shares,
        weights=None if weight_column is None else read_weights(read[-1], found.kept),
        columns=columns,
        files=(source,) if isinstance(source, Path) else tuple(source),
        sheet=sheet,
    )


def _warnings(columns: Columns, blank: Places) -> Iterator[str]:
    if blank.count:
        yield f"{count(blank.count, 'row')} without a text left out ({blank})"
    if len(columns.texts) > 1:
        yield f"texts are the columns {columns.of_texts}, joined by a line break; join them so in requests too"


def _texts_by_place(columns: Sequence[Column]) -> tuple[dict[int, str], Places]:
    """The texts by their places in the columns, and the rows that have none."""
    texts, places = read_texts(*columns)
    rows = columns[0].rows
    return dict(zip(places, texts, strict=True)), _left_out(rows, range(len(rows)), places)


def _left_out(rows: Sequence[Row], places: Iterable[int], kept: Iterable[int]) -> Places:
    """The rows of the `places` that are not among those kept."""
    left_out = Places()
    for place in sorted(set(places) - set(kept)):
        left_out.add(rows[place])
    return left_out


def label_names(dataset: Dataset, further: Iterable[str] = ()) -> Names:
    """The distinct names, and `further` ones, in a stable order: by value if all are whole numbers, else by code point.

    Raises:
        DataError: too few to tell apart.
    """
    names = dataset.counts().keys() | set(further)
    needed = 2 if dataset.task == "single_label" else 1
    if len(names) < needed:
        cause = f"{len(names)} distinct label(s); a classifier needs at least {needed}"
        raise DataError(dataset.path, cause, column=dataset.label_column)
    if all(is_whole_number(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def refuse_unknown(dataset: Dataset, names: Sequence[str], remedy: str = "") -> None:
    """Refuses a label that is not among `names`; `remedy` says what to do about it.

    Raises:
        DataError: a row has one.
    """
    places = label_places(names)
    for row, labels in zip(dataset.rows, dataset.labels, strict=True):
        for name in labels:
            if name not in places:
                cause = _unknown(name, names) + (f"; {remedy}" if remedy else "")
                raise DataError(dataset.path, cause, row=row, column=dataset.label_column)


def encode_labels(dataset: Dataset, names: Sequence[str]) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
    """Encodes labels as targets: int64 [N] for single-label; float32 [N, C] of zeros and ones for multi-label.

    Raises:
        DataError: a row has a label that is not among `names`.
    """
    refuse_unknown(dataset, names)
    places = label_places(names)
    if dataset.task == "single_label":
        return np.array([places[labels[0]] for labels in dataset.labels], dtype=np.int64)
    targets_NC = np.zeros((len(dataset), len(names)), dtype=np.float32)
    for index, labels in enumerate(dataset.labels):
        targets_NC[index, [places[name] for name in labels]] = 1
    return targets_NC


def soft_targets(dataset: Dataset, names: Sequence[str]) -> npt.NDArray[np.float32] | None:
    """Encodes probabilities of labels as targets, float32 [N, C]; None if the file has labels and no probabilities.

    Those of exclusive labels sum to 1. What is scored, chosen and calibrated by is always the labels themselves.
    """
    if dataset.shares is None:
        return None
    places = label_places(names)
    targets_NC = np.zeros((len(dataset), len(names)), dtype=np.float32)
    for column, name in enumerate(dataset.shares.names):
        if name in places:
            targets_NC[:, places[name]] = dataset.shares.values_NC[:, column]
    return targets_NC


def without_unknown(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Leaves out the rows with a label that is not among `names`; a warning counts them by their first such label.

    Raises:
        DataError: no row is left.
    """
    places = label_places(names)
    unknown = [next((name for name in labels if name not in places), None) for labels in dataset.labels]
    kept = dataset.take(row for row, name in enumerate(unknown) if name is None)
    if not kept.labels:
        raise DataError(dataset.path, _unknown(unknown[0] or "", names), column=dataset.label_column)
    if counts := Counter(name for name in unknown if name is not None):
        shown = list_some([f"'{name}' ({times:,})" for name, times in counts.most_common()], 5)
        left_out = f"{counts.total():,} of {len(dataset):,} rows left out, whose labels are unknown: {shown}"
        return replace(kept, warnings=[*dataset.warnings, left_out])
    return kept


def without_weightless(dataset: Dataset) -> Dataset:
    """The data set without rows of weight 0: nothing should be fitted to them, sized by them or chosen on them."""
    if dataset.weights is None or dataset.weights.all():
        return dataset
    left_out = Places()
    for place in np.flatnonzero(dataset.weights == 0).tolist():
        left_out.add(dataset.rows[place])
    said = f"{count(left_out.count, 'row')} of weight 0 left out ({left_out})"
    kept = dataset.take(np.flatnonzero(dataset.weights).tolist())
    return replace(kept, warnings=[*dataset.warnings, said], weightless=left_out)


def label_places(names: Sequence[str]) -> dict[str, int]:
    """The place of each name; also under the name that a file of today gives it, where it was written otherwise."""
    return {label_name(name): place for place, name in enumerate(names)} | {
        name: place for place, name in enumerate(names)
    }


def _unknown(name: str, names: Sequence[str]) -> str:
    known = list_some([f"'{label}'" for label in names], 10)
    cause = f"label '{name}' is unknown; the training set has {known}"
    if alike := [label for label in names if spelling_key(label) == spelling_key(name)]:
        cause += f"; --merge-labels reads it as '{alike[0]}'"
    return cause


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
