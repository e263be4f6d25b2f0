"""Mixes several training files into one: each text once, and none that a test file holds.

Public sets repeat themselves and each other. A text of a test split must not be in any training data of the same
model, whichever set it came from. They also have different names for the same label, which can be mapped to one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tables.parquet import write_parquet
from tables.reader import LOGGER
from training.data.dataset import Dataset, read_dataset
from training.data.duplicates import normalised
from training.data.leaks import HeldOut, source_name
from training.errors import UsageError


@dataclass(frozen=True, slots=True)
class MixReport:
    """Number of texts kept of one file, and of those left out by reason.

    Attributes:
        path: the file.
        kept: texts taken.
        held_out: texts that leak one of the files to keep out, by the rule of `training.data.leaks`.
        repeated: texts that were taken before, from this file or an earlier one.
        contradicted: texts that occur with another label too; none of them is taken.
        unmapped: rows whose labels the mapping has no name for, or several names.
    """

    path: Path
    kept: int
    held_out: int
    repeated: int
    contradicted: int
    unmapped: int


def mix_files(
    files: Sequence[Path],
    output: Path,
    *,
    without: Sequence[Path],
    mapping: Mapping[str, Sequence[str]],
    text_column: str,
    label_column: str,
) -> list[MixReport]:
    """Writes the Parquet file `output` with the columns text, label and source, in the order of `files`.

    Texts are compared without case, punctuation and white space.

    Args:
        files: labelled files.
        output: is replaced.
        without: files of which nothing is to leak; only their text column is read.
        mapping: from labels of `output` to the files' names for them; if it is empty the files' names stay. A row is
            left out if one of its labels has no counterpart, or if its labels have different ones.
        text_column, label_column: names of columns in all files.

    Raises:
        TableError: a file is unusable.
        UsageError: a file is multi-label, and there is no mapping.
    """
    whole = [read_dataset(path, text_column=text_column, label_column=label_column) for path in files]
    for dataset in whole:
        for warning in dataset.warnings:
            LOGGER.warning(f"warning: {dataset.path}: {warning}")
    parts = [map_labels(dataset, mapping) for dataset in whole]
    held_out = HeldOut.read(without, text_column=text_column)
    labels = _labels_by_text(parts)
    seen: set[str] = set()
    columns: dict[str, list[str]] = {text_column: [], label_column: [], "source": []}
    reports = []
    for part, dataset in zip(parts, whole, strict=True):
        fate = Counter(unmapped=len(dataset) - len(part))
        for text, (label,), leaks in zip(part.texts, part.labels, held_out.leaking(part.texts), strict=True):
            key = normalised(text)
            reason = "held_out" if leaks else _reason_against(key, seen, labels)
            fate[reason] += 1
            if reason == "kept":
                seen.add(key)
                for column, value in zip(columns.values(), (text, label, source_name(part.path)), strict=True):
                    column.append(value)
        reports.append(MixReport(part.path, **{name: fate[name] for name in FATES}))
    write_parquet(output, columns)
    return reports


def map_labels(dataset: Dataset, mapping: Mapping[str, Sequence[str]]) -> Dataset:
    """Keeps the rows whose labels all map to one name, under that name; an empty mapping keeps all as they are.

    Raises:
        UsageError: the file is multi-label, and there is no mapping.
    """
    if not mapping:
        if dataset.task != "single_label":
            raise UsageError(f"{dataset.path}: has lists of labels; --label-map says which label each of them becomes")
        return dataset
    ours = {name: label for label, names in mapping.items() for name in (label, *names)}
    mapped = [{ours.get(name) for name in names} for names in dataset.labels]
    kept = [row for row, found in enumerate(mapped) if len(found) == 1 and None not in found]
    labels = [tuple(name for name in mapped[row] if name) for row in kept]
    return replace(dataset.take(kept), task="single_label", labels=labels)


FATES = ("kept", "held_out", "repeated", "contradicted", "unmapped")


def _reason_against(key: str, seen: set[str], labels: dict[str, set[str]]) -> str:
    if len(labels[key]) > 1:
        return "contradicted"
    return "repeated" if key in seen else "kept"


def _labels_by_text(parts: Iterable[Dataset]) -> dict[str, set[str]]:
    labels: dict[str, set[str]] = {}
    for part in parts:
        for text, names in zip(part.texts, part.labels, strict=True):
            labels.setdefault(normalised(text), set()).update(names)
    return labels
