"""Mixes several training files into one: each text once, and none that a test file holds.

Public sets repeat themselves and each other. A text of a test split must not be in any training data of the same
model, whichever set it came from. They also have different names for the same label, which can be mapped to one.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tables.columns import column_names, named_as_weights
from tables.errors import MissingColumnError
from tables.labels import DEFAULT, LabelRules
from tables.names import same_name
from tables.parquet import write_parquet
from tables.reader import LOGGER
from training.data.choices import sources
from training.data.column_names import LABEL, TEXT, written
from training.data.dataset import Dataset, list_some, read_dataset, without_weightless
from training.data.duplicates import normalised
from training.data.emoticons import without_emoticons
from training.data.files import check_apart
from training.data.leaks import HeldOut, source_names
from training.data.personal import mask_personal
from training.data.unlabeled import read_unlabeled
from training.errors import UsageError

SOURCE = "source"
"""Column of the output that names a text's data set."""

WEIGHT = "weight"
"""Column of the output for the weights of texts, where data sets are given any."""

SHOWN = 30
"""Data sets that an error names."""

FATES = ("kept", "held_out", "repeated", "contradicted", "unmapped", "beyond_limit")


@dataclass(frozen=True, slots=True)
class MixReport:
    """Number of texts kept of one file, and of those left out by reason.

    Attributes:
        path: the file.
        kept: texts taken.
        held_out: texts that leak one of the files to keep out, by the rule of `training.data.leaks`.
        repeated: texts that were taken before, from this file or an earlier one.
        contradicted: texts that occur with another label too; none of them is taken.
        unmapped: rows whose labels the mapping has no name for, or several names; posts without their emoticons empty.
        beyond_limit: texts of a source that were not drawn.
    """

    path: Path
    kept: int
    held_out: int
    repeated: int
    contradicted: int
    unmapped: int
    beyond_limit: int


@dataclass(frozen=True, slots=True)
class MixOptions:
    """Options of a mixture.

    Attributes:
        text_column, label_column: of all files; None finds them in each file. What is written is called as
            `column_names.written` says.
        unlabeled: reads and writes no labels.
        source_column: a column of the files that names each text's data set; a file that lacks it, and every file if
            this is None, is a set of its own, named as `training.data.leaks.source_names` has it.
        rules: how labels are read; where they are merged, they have the names that come first.
        mapping: from labels of the output to the files' names for them; if it is empty the files' names stay. A row is
            left out if one of its labels has no counterpart, or if its labels have different ones.
        drop_emoticons: see `training.data.emoticons`.
        mask_personal: puts fixed words in place of e-mail addresses and telephone numbers, before texts are compared.
        weight_column: of weights, which are kept, and rows of weight 0 left out; a text of a file that lacks it weighs
            1. None keeps no weights.
        weights: of each text of a source, by the source's name, times its own one; 1 for the others.
        limit: texts to draw of each source at most; None takes all.
        seed: of the draw, whose order is that of the files.
    """

    text_column: str | None = None
    label_column: str | None = None
    unlabeled: bool = False
    source_column: str | None = None
    rules: LabelRules = DEFAULT
    mapping: Mapping[str, Sequence[str]] | None = None
    drop_emoticons: bool = False
    mask_personal: bool = False
    weight_column: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """Texts of one file, with a label, a source and a weight each; the label is empty where none is read.

    No weights are 1 each.
    """

    path: Path
    texts: list[str]
    labels: list[str]
    sources: list[str]
    unmapped: int
    weights: list[float] | None = None

    def weight(self, row: int, of_sources: Mapping[str, float]) -> float:
        """The weight of a row, times that of its source."""
        own = 1.0 if self.weights is None else self.weights[row]
        return own * of_sources.get(self.sources[row], 1.0)


def mix_files(files: Sequence[Path], output: Path, *, without: Sequence[Path], options: MixOptions) -> list[MixReport]:
    """Writes the Parquet file `output` with the columns of texts, labels and `source`, in the order of `files`.

    A column of weights is added if a source or `weight_column` gives any. Texts are compared as `_key` has them.

    Args:
        files: of any format, labelled or not.
        output: is replaced.
        without: files of which nothing is to leak; only their text column is read.
        options: see there.

    Raises:
        TableError: a file is unusable.
        UsageError: a file is multi-label, and there is no mapping; no text is of a source that has a weight; or no file
            has the column of weights; or `output` is one of the files.
    """
    check_apart(output, [*files, *without])
    parts = list(_read(files, options))
    _check_weights(parts, options)
    held_out = HeldOut.read(
        without, text_column=options.text_column, change=mask_personal if options.mask_personal else None
    )
    labels = _labels_by_text(parts)
    seen: set[str] = set()
    kept: list[tuple[int, int]] = []
    fates = [Counter(unmapped=part.unmapped) for part in parts]
    for place, part in enumerate(parts):
        for row, leaks in enumerate(held_out.leaking(part.texts).tolist()):
            key = _key(part.texts[row])
            reason = "held_out" if leaks else _reason_against(key, seen, labels)
            if reason == "kept":
                seen.add(key)
                kept.append((place, row))
            else:
                fates[place][reason] += 1
    drawn = _draw(kept, [parts[place].sources[row] for place, row in kept], options)
    for place, _ in drawn:
        fates[place]["kept"] += 1
    for place, _ in kept:
        fates[place]["beyond_limit"] += 1
    write_parquet(output, _columns(parts, drawn, options))
    for fate in fates:
        fate["beyond_limit"] -= fate["kept"]
    return [
        MixReport(part.path, **{name: fate[name] for name in FATES}) for part, fate in zip(parts, fates, strict=True)
    ]


def _columns(
    parts: Sequence[_Part], drawn: Sequence[tuple[int, int]], options: MixOptions
) -> dict[str, Sequence[object]]:
    """The columns to write, of rows that are named by their part and their place in it."""
    texts, labels = written(options.text_column, TEXT), written(options.label_column, LABEL)
    columns: dict[str, Sequence[object]] = {texts: [parts[place].texts[row] for place, row in drawn]}
    if not options.unlabeled:
        columns[labels] = [parts[place].labels[row] for place, row in drawn]
    sources = [parts[place].sources[row] for place, row in drawn]
    columns[SOURCE] = sources
    if options.weights or options.weight_column:
        columns[WEIGHT] = [parts[place].weight(row, options.weights) for place, row in drawn]
    return columns


def _read(files: Sequence[Path], options: MixOptions) -> Iterator[_Part]:
    rules = options.rules
    for path, name in zip(files, source_names(files), strict=True):
        if options.unlabeled:
            texts = read_unlabeled(path, text_column=options.text_column)
            part = _Part(path, texts, [""] * len(texts), [name] * len(texts), 0)
        else:
            whole = _read_labelled(path, options, rules)
            rules = rules.after(whole.counts())
            part = _labelled(path, name, whole, options)
        if options.mask_personal:
            part = replace(part, texts=[mask_personal(text) for text in part.texts])
        yield _without_emoticons(part) if options.drop_emoticons else part


def _labelled(path: Path, name: str, whole: Dataset, options: MixOptions) -> _Part:
    found = map_labels(whole, options.mapping or {})
    labels = [label for (label,) in found.labels]
    named, unmapped = _sources(found, name, options.source_column), len(whole) - len(found)
    weights = None if found.weights is None else found.weights.tolist()
    return _Part(path, found.texts, labels, named, unmapped, weights)


def _read_labelled(path: Path, options: MixOptions, rules: LabelRules) -> Dataset:
    """The rows that have a weight above 0; warns of what is left out, and of what the output will not have."""
    names, asked = column_names(path), options.weight_column
    weights = None if asked is None else next((name for name in names if same_name(name, asked)), None)
    whole = without_weightless(
        read_dataset(
            path,
            text_column=options.text_column,
            label_column=options.label_column,
            weight_column=weights,
            rules=rules,
        )
    )
    lost = [
        f"the column '{name}' is not kept; if it has weights, --weight-column '{name}' keeps them"
        for name in named_as_weights(names)
        if name != weights and name not in (*whole.columns.texts, *whole.columns.labels)
    ]
    if whole.shares is not None:
        lost.append(
            "probabilities are not kept, but the most probable labels alone; to learn from them, give train the files "
            "themselves (--train FILE, repeatable)"
        )
    for warning in [*whole.warnings, *lost]:
        LOGGER.warning(f"warning: {path}: {warning}")
    return whole


def _check_weights(parts: Sequence[_Part], options: MixOptions) -> None:
    if options.weight_column is not None and all(part.weights is None for part in parts):
        raise UsageError(f"--weight-column {options.weight_column}: no file has this column")
    sources = {source for part in parts for source in part.sources}
    if unknown := options.weights.keys() - sources:
        raise UsageError(
            f"--weight {min(unknown)}: no text is of this data set; there are {list_some(sorted(sources), SHOWN)}"
        )


def _sources(dataset: Dataset, name: str, column: str | None) -> list[str]:
    own = [name] * len(dataset)
    if column is None:
        return own
    try:
        return [str(source) for source in sources(dataset, column)]
    except MissingColumnError:
        return own


def _without_emoticons(part: _Part) -> _Part:
    texts = [without_emoticons(text) for text in part.texts]
    rows = [row for row, text in enumerate(texts) if text]
    return _Part(
        part.path,
        [texts[row] for row in rows],
        [part.labels[row] for row in rows],
        [part.sources[row] for row in rows],
        part.unmapped + len(texts) - len(rows),
        None if part.weights is None else [part.weights[row] for row in rows],
    )


def _draw(kept: list[tuple[int, int]], names: Sequence[str], options: MixOptions) -> list[tuple[int, int]]:
    """At most `limit` of the places kept of each source, in their order."""
    if options.limit is None:
        return kept
    by_source: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        by_source[name].append(place)
    rng = np.random.default_rng(options.seed)
    chosen = [rng.permutation(places)[: options.limit] for places in by_source.values()]
    return [kept[place] for place in sorted(place for places in chosen for place in places.tolist())]


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


def _reason_against(key: str, seen: set[str], labels: dict[str, set[str]]) -> str:
    if len(labels[key]) > 1:
        return "contradicted"
    return "repeated" if key in seen else "kept"


def _key(text: str) -> str:
    """Text as it is compared with others: without case, punctuation and white space. Emoji may be the judgement.

    >>> _key("Our train."), _key("our train 😡")
    ('ourtrain', 'ourtrain😡')
    """
    return normalised(text) + "".join(char for char in text if unicodedata.category(char) == "So")


def _labels_by_text(parts: Iterable[_Part]) -> dict[str, set[str]]:
    labels: dict[str, set[str]] = {}
    for part in parts:
        for text, label in zip(part.texts, part.labels, strict=True):
            labels.setdefault(_key(text), set()).add(label)
    return labels
