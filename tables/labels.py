"""Reads the values of a column as texts or as labels, the same for every format.

A label may be of any type in the file; here it is a name. Values that mean a missing one, lists of labels and odd rows
are judged over the whole column, so that one bad row changes nothing for the others.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from tables.label_lists import find_separator, looks_like_list, parse_list, split_list
from tables.label_names import is_missing, label_name, spelling_groups, spelling_key, unusual_none
from tables.label_numbers import Judged, Shares, is_map, judge, numbers_of_columns, numbers_of_maps
from tables.names import clean_name
from tables.reader import Column
from tables.reading import Places, count

Names = tuple[str, ...]
"""The labels of one text: exactly one name in a single-label column, any number in a multi-label one."""

FEW = 0.1
"""At most this share of rows, or one row, may be unlike the others and is left out; more are an error."""


@dataclass(frozen=True, slots=True)
class LabelRules:
    """Choices about labels that a person may make.

    Attributes:
        keep: names that are labels even if they are spelled like a missing value.
        separator: between the labels of one text; None finds it, empty is that there is none.
        merge: reads labels that differ in case, width, spaces, invisible characters or zeros as one.
        multi_label: true where a column is known to hold several labels a text, whatever it looks like.
    """

    keep: frozenset[str] = frozenset()
    separator: str | None = None
    merge: bool = False
    multi_label: bool = False

    @classmethod
    def named(cls, keep: Iterable[str] = (), separator: str | None = None, merge: bool | None = None) -> Self:
        """The rules that a person named; the separator `none` is that there is none."""
        return cls(frozenset(keep), "" if separator == "none" else separator, bool(merge))

    def after(self, names: Iterable[str]) -> Self:
        """The rules for a further file, after one with these labels: where labels are merged, they get its names."""
        return replace(self, keep=self.keep.union(names)) if self.merge else self


DEFAULT = LabelRules()
"""Nothing is chosen, everything is found from the values."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a column.

    Attributes:
        names: of each row that is kept, distinct and in the file's order.
        kept: place of each of these rows in the column.
        multi_label: true if a text may have any number of labels.
        separator: between the labels in one value; empty if there is none.
        warnings: what was left out, merged or is doubtful, one sentence each.
        shares: probabilities of labels, where the rows say so; `names` are then what they amount to.
    """

    names: list[Names]
    kept: list[int]
    multi_label: bool
    separator: str = ""
    warnings: list[str] = field(default_factory=list)
    shares: Shares | None = None


def read_texts(*columns: Column) -> tuple[list[str], list[int]]:
    """Reads the values as texts; a number is written out, and what is null or blank is left out.

    Args:
        columns: of one table; those of several are joined by a line break.

    Returns:
        The texts, and the place of each in the columns.

    Raises:
        TableError: a text is something else.
    """
    texts, places = [], []
    for index in range(len(columns[0].values)):
        parts = [text for column in columns if (text := _text(column, index)) is not None]
        if parts:
            texts.append("\n".join(parts))
            places.append(index)
    return texts, places


def _text(column: Column, index: int) -> str | None:
    try:
        return text_of(column.values[index])
    except TypeError as error:
        raise column.error(index, str(error)) from None


def text_of(value: object) -> str | None:
    """A value as text: a number is written out; None for one that is null or blank.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"expected text, found {type(value).__name__}")


def read_labels(column: Column, rules: LabelRules = DEFAULT, rows: Iterable[int] | None = None) -> Labels:
    """Reads the label names of a column.

    Args:
        column: values of any type.
        rules: a person's choices.
        rows: places of the rows to read; None is all.

    Raises:
        TableError: many rows are unlike the others, or hold something that cannot be a label.
    """
    places = list(range(len(column.values)) if rows is None else rows)
    missing: Counter[str] = Counter()
    present = []
    first_missing = Places()
    for place in places:
        value = column.values[place]
        if is_missing(value, rules.keep):
            spelling = clean_name(value) if isinstance(value, str) else ""
            missing[f"'{spelling}'" if spelling else "empty"] += 1
            first_missing.add(column.rows[place])
        else:
            present.append(place)
    warnings = []
    if missing:
        spelled = ", ".join(f"{spelling} {times:,}" for spelling, times in missing.most_common(5))
        warnings.append(f"{count(missing.total(), 'row')} without a label left out ({spelled}; {first_missing})")
    reader = _Reader(column, rules, warnings)
    labels = reader.read(present)
    for name, spellings in reader.spellings.items():
        if len(spellings) > 1:
            shown = ", ".join(f"{spelling!r} ({times:,})" for spelling, times in spellings.most_common(5))
            warnings.append(f"label '{name}' is written in {len(spellings)} ways, read as one: {shown}")
    return _checked(labels, rules)


def read_label_columns(
    columns: Sequence[Column], rules: LabelRules = DEFAULT, rows: Iterable[int] | None = None
) -> Labels:
    """Reads labels that have a column each, whose numbers are 0 and 1 or probabilities; of one column see above.

    Raises:
        TableError: a value is no such number.
    """
    if len(columns) == 1:
        return read_labels(columns[0], rules, rows)
    places = range(len(columns[0].values)) if rows is None else list(rows)
    judged = judge(numbers_of_columns(columns, places), columns[0].rows, multi_label=rules.multi_label)
    return _from_numbers(judged, [])


def _from_numbers(judged: Judged, warnings: list[str]) -> Labels:
    told = warnings + judged.warnings
    return Labels(judged.names, judged.places, judged.multi_label, warnings=told, shares=judged.shares)


def _checked(labels: Labels, rules: LabelRules) -> Labels:
    """The labels, with a warning about names that look alike, or with these as one."""
    counts = Counter(name for names in labels.names for name in names)
    names, warnings = labels.names, list(labels.warnings)
    groups = spelling_groups(counts)
    known = {spelling_key(name): name for name in rules.keep}
    for group in groups[:5]:
        shown = ", ".join(f"{name!r} ({counts[name]:,})" for name in group)
        warnings.append(
            f"labels read as one, '{known.get(spelling_key(group[0]), group[0])}': {shown}"
            if rules.merge
            else f"labels that differ in spelling only count as different: {shown}; --merge-labels reads them as one"
        )
    if len(groups) > 5:
        warnings.append(f"{len(groups) - 5:,} further groups of labels differ in spelling only")
    if rules.merge and labels.shares is None:
        merged = {name: group[0] for group in groups for name in group}
        merged |= {name: known[spelling_key(name)] for name in counts if spelling_key(name) in known}
        names = [tuple(dict.fromkeys(merged.get(name, name) for name in of_one)) for of_one in names]
    if doubtful := unusual_none(counts, rules.keep):
        warnings.append(
            f"label '{doubtful}' ({counts[doubtful]:,}) may stand for a missing one; it is read as a label like others"
        )
    return replace(labels, names=names, warnings=warnings)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the values of a column that are not missing."""

    column: Column
    rules: LabelRules
    warnings: list[str]
    spellings: dict[str, Counter[str]] = field(default_factory=dict)
    known: dict[Names, Names] = field(default_factory=dict)

    def read(self, places: Sequence[int]) -> Labels:
        """Decides by most values whether they are lists, lists written as text, values with separators, or names."""
        values = [self.column.values[place] for place in places]
        kinds = Counter(map(_kind, values))
        if 2 * kinds["map"] > len(values):
            numbers = numbers_of_maps(self.column, places)
            return _from_numbers(judge(numbers, self.column.rows, multi_label=self.rules.multi_label), self.warnings)
        num_lists = kinds["list"] + kinds["written"]
        if values and 2 * num_lists >= len(values) and num_lists:
            return self._lists(places)
        known = self.rules.keep if self.rules.multi_label else frozenset()
        separator = self._separator([value for value in values if isinstance(value, str)], len(values), known)
        if separator or self.rules.multi_label:
            return self._separated(places, separator)
        return self._single(places)

    def _separator(self, texts: Sequence[str], num_values: int, known: frozenset[str]) -> str:
        if self.rules.separator is not None:
            return self.rules.separator
        separator, doubt = find_separator(texts, num_values, known)
        if doubt:
            self.warnings.append(doubt)
        return separator

    def _lists(self, places: Sequence[int]) -> Labels:
        names: list[Names] = []
        kept, plain, bad = [], Places(), Places()
        for place in places:
            value = self.column.values[place]
            items = list(value) if isinstance(value, list | tuple) else parse_list(value)
            if items is None and isinstance(value, str) and looks_like_list(value, open_only=True):  # cut off
                bad.add(self.column.rows[place])
                continue
            if items is None:
                plain.add(self.column.rows[place])
                items = [value]
            names.append(self._names(items, place))
            kept.append(place)
        written = any(isinstance(self.column.values[place], str) for place in kept)
        if written:
            self.warnings.append("labels are lists written as text: multi-label")
        if plain.count:
            rows = count(plain.count, "row")
            self.warnings.append(f"{rows} with a plain label among lists, read as a list of one ({plain})")
        self._leave_out(bad, len(places), "a list of labels that is not closed or not readable")
        return Labels(names, kept, multi_label=True, warnings=self.warnings)

    def _separated(self, places: Sequence[int], separator: str) -> Labels:
        names = []
        num_split = 0
        for place in places:
            value = self.column.values[place]
            items: Sequence[object] = [value]
            if isinstance(value, list | tuple) or (isinstance(value, str) and looks_like_list(value)):
                items = list(value) if not isinstance(value, str) else parse_list(value) or []
            elif separator and isinstance(value, str) and value not in self.rules.keep:
                items = split_list(value, separator)
                num_split += len(items) > 1
            names.append(self._names(items, place))
        if num_split:
            self.warnings.append(
                f"{num_split:,} of {len(places):,} labels hold '{separator}' between several: multi-label "
                "(--label-separator none reads each as one label)"
            )
        return Labels(names, list(places), multi_label=True, separator=separator, warnings=self.warnings)

    def _single(self, places: Sequence[int]) -> Labels:
        names: list[Names] = []
        kept, bad = [], Places()
        for place in places:
            value = self.column.values[place]
            items = value if isinstance(value, list | tuple) else None
            if items is None and isinstance(value, str) and looks_like_list(value):
                items = parse_list(value)
            if items is not None and len(items) != 1:
                bad.add(self.column.rows[place])
                continue
            names.append(self._names([value] if items is None else list(items), place))
            kept.append(place)
        self._leave_out(bad, len(places), "a list of labels, where most rows have one label")
        return Labels(names, kept, multi_label=False, warnings=self.warnings)

    def _names(self, items: Sequence[object], place: int) -> Names:
        """Distinct names; missing ones among several are passed over."""
        names = []
        for item in items:
            if is_missing(item, self.rules.keep):
                continue
            try:
                name = label_name(item)
            except ValueError as error:
                raise self.column.error(place, str(error)) from None
            self.spellings.setdefault(name, Counter())[str(item)] += 1
            names.append(name)
        found = tuple(dict.fromkeys(names))
        return self.known.setdefault(found, found)  # rows with the same labels share one object

    def _leave_out(self, rows: Places, total: int, what: str) -> None:
        if rows.count > max(1, FEW * total):
            place = self.column.rows.index(rows.first[0])
            raise self.column.error(place, f"holds {what}; so do {rows.count:,} of {total:,} rows")
        if rows.count:
            self.warnings.append(f"{count(rows.count, 'row')} left out that hold {what} ({rows})")


def _kind(value: object) -> Literal["map", "list", "written", "plain"]:
    if is_map(value):
        return "map"
    if isinstance(value, list | tuple):
        return "list"
    return "written" if isinstance(value, str) and looks_like_list(value) else "plain"
