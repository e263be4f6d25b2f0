"""Reads the texts of a run, checks them against each other, and splits them where no validation file is given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import Frozen, Task
from tables.errors import MissingColumnError
from tables.labels import LabelRules, Names
from tables.reader import read_columns
from tables.reading import count
from tables.sources import is_local
from training.data.choices import with_choices
from training.data.config import DataConfig, Files
from training.data.continued import Continued, check_continues, warnings_continued
from training.data.dataset import Dataset, label_names, list_some, read_dataset, refuse_unknown, without_weightless
from training.data.duplicates import normalised, num_contradictions, num_shared
from training.data.files import digest_of, shown_source
from training.data.personal import mask_personal
from training.data.split import fold_of, halve, small_labels, split
from training.errors import DataError, UsageError

ENOUGH_TO_HALVE = 1000
"""From so many validation texts on, one half picks the weights, the other the temperature and thresholds."""

FEW_HELD_OUT = 100
"""A role with fewer held-out texts is reported."""

MUCH = 2.0
"""Times the share asked for above which the texts that are held out are reported."""

FEW_TEXTS = 10
"""A label with fewer training texts is reported."""


class DataFile(Frozen):
    """The record of the texts of one role in `metrics.json`.

    Attributes:
        file: its name, below the data root where it is there; of several files all of them.
        sha256: of the file's bytes; of several files see `training.data.files.digest_of`.
        rows: texts used in this role.
        labels: texts per label.
    """

    file: str
    sha256: str
    rows: int
    labels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The texts of a run by role, with their labels and the warnings about them.

    Attributes:
        held_out: the sets that are not trained on: `validation`, perhaps `test`, and further test sets by name.
        stopping, calibration: the halves of `validation` that pick the weights, and the temperature and thresholds;
            both are the whole of it if it has fewer than `ENOUGH_TO_HALVE` texts.
        labels: names in the order of the targets; those of `train`, and those of `continued`.
        files: the record of each role: `train`, `validation`, perhaps `test`, and the names of further tests.
        warnings: what makes a score on these data doubtful, one sentence each.
        unlabeled: further texts to train on, none of them held out.
        fold_N: the fold of each training text [N], where each is validated on in turn: then `validation`, `stopping`
            and `calibration` hold the training texts, in the same order.
        continued: the checkpoint whose labels are kept; None if there is none.
    """

    train: Dataset
    held_out: dict[str, Dataset]
    stopping: Dataset
    calibration: Dataset
    labels: Names
    files: dict[str, DataFile]
    warnings: list[str]
    unlabeled: tuple[str, ...] = ()
    fold_N: npt.NDArray[np.int64] | None = None
    continued: Continued | None = None

    @property
    def task(self) -> Task:
        """One label a text, or a set of labels."""
        return self.train.task

    @property
    def validation(self) -> Dataset:
        """The texts that choose the weights, the temperature and the thresholds."""
        return self.held_out["validation"]

    @property
    def picks_weights(self) -> bool:
        """False where a checkpoint is continued whose labels are not those of the texts.

        Validation, which is like the training texts, cannot judge all that it knows: the last weights are kept.
        """
        if self.continued is None:
            return True
        return not self.without_texts and set(self.continued.labels) == {*self.labels}

    @property
    def calibrates_apart(self) -> bool:
        """True if the texts that calibrate had no part in picking the weights."""
        return self.stopping is not self.validation or not self.picks_weights

    @property
    def test(self) -> Dataset | None:
        """The texts of the test file, if there is one."""
        return self.held_out.get("test")

    @property
    def training_texts(self) -> list[str]:
        """The texts that are trained on, those with labels first."""
        return [*self.train.texts, *self.unlabeled]

    @property
    def without_texts(self) -> Names:
        """The labels that no training text has; only `continued` has such."""
        counts = self.train.counts()
        return tuple(label for label in self.labels if not counts[label])


def read_corpus(
    config: DataConfig, *, seed: int, data_root: Path, continued: Continued | None = None, folds: int = 0
) -> Corpus:
    """Reads the files of `config`; `seed` is that of the split, if there is one to make.

    With `folds` the split has so many parts, which the caller holds out in turn; those of `config` are only a wish.

    Raises:
        UsageError: no training file is named.
        TableError: a file, a row or a label is unusable, or does not fit the checkpoint `continued`.
    """
    train, held_out = read_files(config, multi_label=continued is not None and continued.task == "multi_label")
    kept: Names = ()
    if continued is not None:
        check_continues(train, continued)
        kept = continued.labels
    if config.source_column:
        train = _training_choices(train, config.source_column)
        held_out = {role: _held_out_choices(dataset, config) for role, dataset in held_out.items()}
    labels = label_names(train, kept)
    for dataset in held_out.values():
        _check_fits(dataset, train, labels)
    for dataset in [*held_out.values()] + [train] * ("validation" not in held_out):
        check_columns(dataset, config.slice_columns)
    fold_N, said = None, warnings_continued(train, kept)
    if "validation" not in held_out:
        if folds:
            fold_N, validation = fold_of(train, folds, seed=seed), train
        else:
            train, validation = split(train, fraction=config.validation_fraction, seed=seed)
            said += _warnings_split(train, validation, config.validation_fraction)
        held_out = {"validation": validation} | held_out
    if config.mask_personal:
        train = _masked(train)
    roles = {"train": train} | held_out
    digests = {dataset.path: digest_of(dataset.source) for dataset in roles.values()}
    validation = held_out["validation"]
    stopping, calibration = (validation, validation) if fold_N is not None else _halves(validation, seed=seed)
    return Corpus(
        train=train,
        held_out=held_out,
        stopping=stopping,
        calibration=calibration,
        labels=labels,
        files={role: _describe(part, digests[part.path], labels, data_root) for role, part in roles.items()},
        warnings=[*said, *_warnings(train, held_out)],
        fold_N=fold_N,
        continued=continued,
    )


def read_files(config: DataConfig, *, multi_label: bool = False) -> tuple[Dataset, dict[str, Dataset]]:
    """Reads the training file and the held-out files by role, and does not compare them.

    With `multi_label` each text has a set of labels, whatever the files look like.

    Raises:
        UsageError: no training file is named.
        TableError: a file, a row or a label is unusable.
    """
    if config.train is None:
        raise UsageError("no training file; give --train FILE, or a recipe that names one")
    train = without_weightless(_read(config.train, config, replace(config.label_rules, multi_label=multi_label)))
    # What a held-out file looks like by itself does not matter: its labels are read as those of the training file.
    rules = replace(
        config.label_rules,
        keep=config.label_rules.keep | train.counts().keys(),
        separator=train.separator,
        multi_label=train.task == "multi_label",
    )
    named = {"validation": config.validation, "test": config.test} | (config.tests or {})
    return train, {role: _read(file, config, rules, train) for role, file in named.items() if file}


def _masked(dataset: Dataset) -> Dataset:
    """The data set without e-mail addresses and telephone numbers; a warning counts the texts that had some."""
    texts = [mask_personal(text) for text in dataset.texts]
    changed = sum(text != before for text, before in zip(texts, dataset.texts, strict=True))
    said = f"e-mail addresses and telephone numbers are masked in {changed:,} training texts; requests are not masked"
    return replace(dataset, texts=texts, warnings=[*dataset.warnings, said])


def check_columns(dataset: Dataset, columns: Sequence[str]) -> None:
    """Refuses a file without one of the columns, before anything is computed that would read them.

    Raises:
        MissingColumnError: the file lacks one; says which.
    """
    if columns:
        read_columns(dataset.source, columns, sheet=dataset.sheet)


def _halves(validation: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """Texts to pick the weights on, and texts to fit the temperature on.

    The best weights of several are overconfident on the texts that picked them, so others should fit the temperature.
    Where there are few, both need all of them.
    """
    if len(validation) < ENOUGH_TO_HALVE:
        return validation, validation
    return halve(validation, seed=seed)


def _warnings_split(train: Dataset, validation: Dataset, fraction: float) -> list[str]:
    """A warning if much more is held out than was asked for."""
    total = len(train) + len(validation)
    if len(validation) <= MUCH * fraction * total:
        return []
    said = (
        f"{len(validation):,} of {total:,} texts are held out for validation, {len(validation) / total:.0%} and not "
        f"{fraction:.0%}: each label has a text among them, however rare it is, and equal texts stay together. "
        "train --set data.folds=5 learns from all texts; --validation FILE takes others"
    )
    return [said]


def _warnings(train: Dataset, held_out: dict[str, Dataset]) -> list[str]:
    warnings = [*train.warnings]
    for role, dataset in held_out.items():
        if dataset.path != train.path:
            warnings += [f"{role}: {warning}" for warning in dataset.warnings]
    for role, dataset in held_out.items():
        if len(dataset) < FEW_HELD_OUT:
            warnings.append(f"only {count(len(dataset), f'{role} text')}: figures from so few say little")
    apart = {role: dataset for role, dataset in held_out.items() if dataset.rows is not train.rows}
    warnings += _warnings_apart(train, apart)
    if number := num_contradictions(train):
        warnings.append(f"{number:,} training texts occur more than once with different labels")
    if small := small_labels(train, fewer_than=FEW_TEXTS):
        counts = [f"{name} ({number})" for name, number in small]
        warnings.append(f"label(s) with fewer than {FEW_TEXTS} training texts: {list_some(counts, 5)}")
    return warnings


def _warnings_apart(train: Dataset, apart: dict[str, Dataset]) -> list[str]:
    """Warnings about texts that are held out from all networks; not so are those that are held out by folds."""
    warnings, seen, labels = [], set(map(normalised, train.texts)), train.counts().keys()
    for role, dataset in apart.items():
        if shared := num_shared(dataset, seen):
            warnings.append(
                f"{shared:,} of {len(dataset):,} {role} texts are also in the training set (case and punctuation "
                f"aside): {role} scores flatter the model"
            )
        if missing := sorted(labels - dataset.counts().keys()):
            warnings.append(f"no {role} text has the label(s) {list_some(missing, 5)}")
    return warnings


def _read(names: Files, config: DataConfig, rules: LabelRules, train: Dataset | None = None) -> Dataset:
    source = [Path(name) for name in ([names] if isinstance(names, str) else names)]
    missing = [path for path in source if config.source and is_local(str(path)) and not path.exists()]
    if missing:
        cause = f"does not exist; say where it is with --data-root or SLUICE_DATA, or get it from {config.source}"
        raise DataError(missing[0], cause)
    return read_dataset(
        source,
        text_column=config.text_column,
        label_column=config.label_column,
        weight_column=config.weight_column if train is None else None,
        sheet=config.sheet,
        rules=rules,
        prefer=None if train is None else train.columns,
    )


def _training_choices(dataset: Dataset, source_column: str) -> Dataset:
    if dataset.shares is not None:
        cause = "has probabilities of labels, which cannot be judged among the labels of each set (source_column)"
        raise DataError(dataset.path, cause, column=dataset.label_column)
    return with_choices(dataset, source_column)


def _held_out_choices(dataset: Dataset, config: DataConfig) -> Dataset:
    """The choices of a held-out file, which is one set if it does not say of which set a text is."""
    try:
        return with_choices(dataset, config.source_column)
    except MissingColumnError:
        return with_choices(dataset)


def _check_fits(dataset: Dataset, train: Dataset, labels: Sequence[str]) -> None:
    if dataset.task != train.task:
        kinds = {"single_label": "one label a text", "multi_label": "lists of labels"}
        cause = f"has {kinds[dataset.task]}, but {train.path} has {kinds[train.task]}"
        raise DataError(dataset.path, cause, column=dataset.label_column)
    refuse_unknown(dataset, labels, "correct these labels, or delete these rows")


def _describe(dataset: Dataset, digest: str, labels: Sequence[str], data_root: Path) -> DataFile:
    counts = dataset.counts()
    return DataFile(
        file=shown_source(dataset.source, data_root),
        sha256=digest,
        rows=len(dataset),
        labels={label: counts[label] for label in labels},
    )
