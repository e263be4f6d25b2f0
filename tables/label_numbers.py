"""Reads labels that are given as a number for each: one-hot columns, probabilities, or maps from label to number.

Shape suffixes: N rows, C labels.
"""

import ast
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tables.errors import Row
from tables.label_names import is_missing, label_name
from tables.reader import Column
from tables.reading import Places, count

Floats = npt.NDArray[np.float32]

YES, NO = {"true", "yes", "y", "x", "t"}, {"false", "no", "n", "f"}
ABOUT = 0.05
"""The probabilities of exclusive labels sum to 1 but for so much, which rounding may take."""

MOST = 0.9
"""Share of the rows from which on labels are exclusive, if in them one is true, or the probabilities sum to 1."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number for each row and label.

    Attributes:
        names: of the C labels.
        values_NC: 0 to 1, NaN where there is none.
        places: of the N rows in the column.
    """

    names: tuple[str, ...]
    values_NC: Floats
    places: list[int]


@dataclass(frozen=True, slots=True)
class Shares:
    """Probabilities of labels, as annotators or a model gave them.

    Attributes:
        names: of the C labels.
        values_NC: 0 to 1; of exclusive labels they sum to 1.
    """

    names: tuple[str, ...]
    values_NC: Floats

    def take(self, indices: Sequence[int]) -> "Shares":
        """The rows at `indices`, in that order."""
        return Shares(self.names, self.values_NC[indices])


@dataclass(frozen=True, slots=True)
class Judged:
    """The labels that numbers stand for.

    Attributes:
        names: the labels of each row that is kept: the most probable one, or those of at least one half.
        places: of these rows in the column.
        multi_label: true if a row may have any number of labels.
        shares: the probabilities of these rows; None if all numbers are 0 or 1.
        warnings: what was found and left out, one sentence each.
    """

    names: list[tuple[str, ...]]
    places: list[int]
    multi_label: bool
    shares: Shares | None
    warnings: list[str]


def as_number(value: object) -> float | None:
    """A cell as a number; 1 and 0 for yes and no in some spellings; None if it is neither.

    >>> as_number("0,5"), as_number(True), as_number(" x "), as_number("pos")
    (0.5, 1.0, 1.0, None)
    """
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    text = value.strip().casefold()
    if text in YES or text in NO:
        return float(text in YES)
    try:
        return float(text.replace(",", ".", 1) if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        return None


def parse_map(value: object) -> dict[str, object] | None:
    """A map from labels to numbers, also as JSON or Python write it or as pairs of label and score; None if none.

    >>> parse_map('{"a": 0.5, "b": 0.5}'), parse_map([{"label": "a", "score": 1}]), parse_map("{a}")
    ({'a': 0.5, 'b': 0.5}, {'a': 1}, None)
    """
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, list) and value:
        if all(isinstance(item, dict) and {"label", "score"} <= item.keys() for item in value):
            value = {item["label"]: item["score"] for item in value}
        elif all(isinstance(item, tuple) and len(item) == 2 for item in value):
            value = dict(value)  # as pyarrow gives a map
    if not isinstance(value, dict) or not value:
        return None
    if not all(item is None or as_number(item) is not None for item in value.values()):
        return None
    return {label_name(key): item for key, item in value.items()} if all(map(_is_name, value)) else None


def _is_name(key: object) -> bool:
    return isinstance(key, str | int | float)


def _parsed(text: str) -> object:
    if not text.lstrip().startswith(("{", "[{")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def is_map(value: object) -> bool:
    """True if a value is a map from labels to numbers."""
    return parse_map(value) is not None


def numbers_of_columns(columns: Sequence[Column], places: Sequence[int]) -> Numbers:
    """The numbers of columns, each of them a label that is called like its column.

    Raises:
        TableError: a value is no number from 0 to 1.
    """
    values_NC = np.full((len(places), len(columns)), np.nan, dtype=np.float32)
    for place, column in enumerate(columns):
        for row, index in enumerate(places):
            values_NC[row, place] = _checked(column, index, column.values[index])
    return Numbers(tuple(label_name(column.name) for column in columns), values_NC, list(places))


def numbers_of_maps(column: Column, places: Sequence[int]) -> Numbers:
    """The numbers of a column of maps; a label that a map lacks has the number 0.

    Raises:
        TableError: a value is no map, or no number from 0 to 1.
    """
    maps: list[Mapping[str, object]] = []
    for index in places:
        found = parse_map(column.values[index])
        if found is None:
            raise column.error(index, 'expected numbers of labels, such as {"a": 0.9, "b": 0.1}, as in other rows')
        maps.append(found)
    names = tuple(dict.fromkeys(name for found in maps for name in found))
    values_NC = np.zeros((len(places), len(names)), dtype=np.float32)
    for row, (index, numbers) in enumerate(zip(places, maps, strict=True)):
        for place, name in enumerate(names):
            values_NC[row, place] = _checked(column, index, numbers.get(name, 0), name)
    return Numbers(names, values_NC, list(places))


def _checked(column: Column, index: int, value: object, label: str = "") -> float:
    if is_missing(value):
        return math.nan
    number = as_number(value)
    if number is None or not 0 <= number <= 1:
        of_label = f"for '{label}' " if label else ""
        cause = f"expected 0, 1 or a probability between them {of_label}and found {str(value)[:40]!r}"
        raise column.error(index, cause)
    return number


def judge(numbers: Numbers, rows: Sequence[Row], *, multi_label: bool = False) -> Judged:
    """Decides by all rows whether labels are exclusive, and which labels each row has.

    Args:
        numbers: of each row.
        rows: the place of each row of the column in its file.
        multi_label: true where labels are known not to be exclusive.
    """
    present_N = ~np.isnan(numbers.values_NC).all(axis=1)
    empty = int(np.isnan(numbers.values_NC[present_N]).sum())
    values_NC = np.nan_to_num(numbers.values_NC)
    sum_N = values_NC.sum(axis=1)
    soft = bool(((values_NC > 0) & (values_NC < 1)).any())
    one_N = np.abs(sum_N - 1) <= (ABOUT if soft else 0)
    multi_label = multi_label or not _are_exclusive(one_N[present_N], sum_N[present_N], soft)
    kept_N = present_N if multi_label else present_N & one_N
    warnings = [_told(numbers.names, multi_label, soft, values_NC[kept_N])]
    if empty:
        warnings.append(f"{count(empty, 'empty cell')} among the numbers of labels, read as 0")
    for chosen_N, what in ((~present_N, "without a label"), (present_N & ~kept_N, _unlike(soft))):
        if chosen_N.any():
            left_out = Places()
            for place in np.flatnonzero(chosen_N):
                left_out.add(rows[numbers.places[place]])
            warnings.append(f"{count(left_out.count, 'row')} left out {what} ({left_out})")
    values_NC = values_NC[kept_N]
    if multi_label:
        true_NC = values_NC >= 0.5
    else:
        values_NC = values_NC / values_NC.sum(axis=1, keepdims=True)
        true_NC = values_NC.argmax(axis=1)[:, None] == np.arange(len(numbers.names))
        ties = int((np.isclose(values_NC, values_NC.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
        if ties:
            warnings.append(f"{count(ties, 'row')} with equally probable labels; the first counts as theirs in scores")
    names = [tuple(numbers.names[place] for place in np.flatnonzero(true_C)) for true_C in true_NC]
    shares = _shares(numbers.names, values_NC, true_NC, multi_label, warnings) if soft else None
    places = [numbers.places[place] for place in np.flatnonzero(kept_N)]
    return Judged(names, places, multi_label, shares, warnings)


def _are_exclusive(one_N: npt.NDArray[np.bool_], sum_N: Floats, soft: bool) -> bool:
    """True if nearly every row has one label in all, and of 0 and 1 no row has two."""
    return bool(one_N.mean() >= MOST if soft else one_N.mean() >= MOST and sum_N.max() <= 1) if len(one_N) else True


def _unlike(soft: bool) -> str:
    return "whose probabilities do not sum to 1 as those of the others" if soft else "in which no label is true"


def _told(names: Sequence[str], multi_label: bool, soft: bool, values_NC: Floats) -> str:
    kind = "probabilities" if soft else "0 and 1"
    several = int((values_NC.sum(axis=1) > 1).sum()) if not soft else 0
    exclusive = "one label a text" if not multi_label else "several labels a text"
    more = f" ({several:,} of {len(values_NC):,} rows have more than one)" if multi_label and several else ""
    return f"labels are numbers for each of {len(names)} ({kind}): {exclusive}{more}"


def _shares(
    names: tuple[str, ...], values_NC: Floats, true_NC: npt.NDArray[np.bool_], multi_label: bool, warnings: list[str]
) -> Shares:
    """The probabilities of the labels that some row has; of exclusive ones what is left sums to 1 again."""
    known_C = true_NC.any(axis=0)
    if not known_C.all():
        never = ", ".join(f"'{names[place]}'" for place in np.flatnonzero(~known_C)[:5])
        warnings.append(f"{count(int((~known_C).sum()), 'label')} left out that no row has as its own: {never}")
    values_NC = values_NC[:, known_C]
    if not multi_label:
        values_NC = values_NC / values_NC.sum(axis=1, keepdims=True)
    return Shares(tuple(names[place] for place in np.flatnonzero(known_C)), values_NC.astype(np.float32))
