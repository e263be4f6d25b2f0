"""Chooses the columns of texts and labels: as a person names them, else by their names, else by their values."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from tables.address import address_of
from tables.errors import MissingColumnError, TableError
from tables.headers import WORDS, why_no_header
from tables.label_numbers import as_number, is_map
from tables.names import LABEL_NAMES, TEXT_NAMES, folded, same_name
from tables.reader import read_batches
from tables.reading import BadRow, Reading

LOGGER = logging.getLogger("tables")

SAMPLE_ROWS = 500
FEW_LETTERS = 40
"""Characters of a label, at most, in the mean."""

WEIGHTS = {"weight", "weights", "sample_weight", "sample weight"}
"""Names of columns that are no labels."""

NO_HEADER = "put a line with names before it, such as text,label"

Kind = Literal["numbers", "names"]
Values = Mapping[str, Sequence[object]]
"""The first values of each column."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """The first rows of a table.

    Attributes:
        path: the file that they are in.
        values: of each column; none if no file has a row.
        has_header: true if the names of the columns are a line of the file, which may be a row by mistake.
    """

    path: Path
    values: dict[str, list[object]]
    has_header: bool


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of texts, which are joined, and of labels: one, or one for each label."""

    texts: tuple[str, ...] = ("text",)
    labels: tuple[str, ...] = ("label",)

    @property
    def of_texts(self) -> str:
        """The names of the columns of texts, for a message."""
        return ", ".join(self.texts)

    @property
    def of_labels(self) -> str:
        """The names of the columns of labels, for a message."""
        return ", ".join(self.labels)


def choose_columns(
    source: Path | Sequence[Path],
    text: str | None,
    label: str | None,
    *,
    sheet: str | None = None,
    prefer: Columns | None = None,
    but_not: Collection[str] = (),
) -> Columns:
    """Chooses the columns of texts and labels; says which, where they are not called `text` and `label`.

    Args:
        source: a table; of several files, which have the same names of columns, the first is looked at.
        text, label: as a person names them, several with commas between them; None finds them.
        sheet: of a spreadsheet.
        prefer: columns of a table that belongs to this one; taken if they are there and none are named.
        but_not: columns that are known to be something else.

    Raises:
        MissingColumnError: a named column is not there, or none can be the one.
        TableError: several columns can be the one, the first line is no header, or the file cannot be read.
    """
    if text is not None and label is not None and "," not in text + label:
        return Columns((text,), (label,))
    sample = _sample(source, sheet)
    path, values = sample.path, sample.values
    taken = [name for name in values if any(same_name(name, other) for other in but_not)]
    for name in taken:
        del values[name]
    if not values:
        return Columns((text or "text",), (label or "label",))
    try:
        labels = _named(path, label, values) or _preferred(prefer.labels if prefer else (), values)
        texts = _named(path, text, values) or _preferred(prefer.texts if prefer else (), values)
        texts = texts or _find_texts(sample, labels)
        found = Columns(texts, labels or _find_labels(path, values, texts))
    except MissingColumnError as error:
        if not taken:
            raise
        elsewhere = f"{', '.join(map(repr, taken))} is in use as another column, such as --weight-column"
        raise MissingColumnError(path, f"{error.cause}; {elsewhere}") from error
    if (text is None and found.texts != ("text",)) or (label is None and found.labels != ("label",)):
        LOGGER.info("%s: %s, %s", address_of(path), _said("texts", found.texts), _said("labels", found.labels))
    return found


def choose_texts(
    source: Path | Sequence[Path],
    text: str | None,
    *,
    sheet: str | None = None,
    refuse: Callable[[BadRow], object] | None = None,
    say: Callable[[str], object] = LOGGER.info,
) -> tuple[str, ...]:
    """Chooses the columns of texts in a table that need not have labels.

    Args:
        source, text, sheet: see `choose_columns`.
        refuse: see `tables.reader.read_batches`.
        say: takes a line that tells which, where they are found and not called `text`.

    Raises:
        TableError: as in `choose_columns`.
    """
    if text is not None and "," not in text:
        return (text,)
    sample = _sample(source, sheet, refuse)
    if not sample.values:
        return ("text",)
    texts = _named(sample.path, text, sample.values) or _find_texts(sample, ())
    if text is None and texts != ("text",):
        say(f"{address_of(sample.path)}: {_said('texts', texts)}")
    return texts


def column_names(source: Path | Sequence[Path], *, sheet: str | None = None) -> list[str]:
    """The names of a table's columns; none if no file has a row.

    Raises:
        TableError: the file cannot be read.
    """
    return list(_sample(source, sheet).values)


def named_as_weights(names: Iterable[str]) -> list[str]:
    """The names by which columns of weights are known."""
    return [name for name in names if folded(name) in WEIGHTS]


def _sample(
    source: Path | Sequence[Path], sheet: str | None, refuse: Callable[[BadRow], object] | None = None
) -> _Sample:
    readings: list[Reading] = []
    batches = read_batches(source, None, sheet=sheet, batch_rows=SAMPLE_ROWS, readings=readings, refuse=refuse)
    first = list(islice(batches, 1))
    values = {name: batch.values(name) for batch in first for name in batch.records.schema.names}
    return _Sample(readings[-1].path, values, readings[-1].header_lines > 0)


def _named(path: Path, asked: str | None, present: Collection[str]) -> tuple[str, ...]:
    """The columns that a person named: one, or several with commas between them; none if nothing was named.

    Raises:
        MissingColumnError: one is not there.
    """
    if asked is None or any(same_name(name, asked) for name in present):
        return () if asked is None else (asked,)
    names = tuple(dict.fromkeys(part for part in map(str.strip, asked.split(",")) if part))
    for name in names:
        if not any(same_name(name, other) for other in present):
            raise MissingColumnError(path, f"no column '{name}'; the file has {', '.join(map(repr, present))}")
    return names


def _preferred(names: Sequence[str], present: Collection[str]) -> tuple[str, ...]:
    there = all(any(same_name(name, other) for other in present) for name in names)
    return tuple(names) if there else ()


def _find_texts(sample: _Sample, labels: Sequence[str]) -> tuple[str, ...]:
    path, values = sample.path, sample.values
    others = [name for name in values if not any(same_name(name, label) for label in labels)]
    called = [name for name in others if folded(name) in TEXT_NAMES]
    if any(folded(name) == "text" for name in called):
        return ("text",)
    called = [name for name in called if _has_letters(values[name])]
    found = called if len(called) == 1 else [name for name in called if _holds_words(values[name], least=0.2)]
    found = found or [name for name in others if _holds_words(values[name], least=0.5)]
    name = _only(path, found, values, "texts", "--text-column")
    if sample.has_header and (cause := why_no_header(name, values)):
        remedy = f"{NO_HEADER}; or, if it is a name, say so with --text-column NAME"
        raise TableError(path, f"the first line looks like a row, since {cause}; {remedy}")
    return (name,)


def _find_labels(path: Path, values: Values, texts: Sequence[str]) -> tuple[str, ...]:
    others = {name: column for name, column in values.items() if not any(same_name(name, text) for text in texts)}
    called = [name for name in others if folded(name) in LABEL_NAMES]
    if any(folded(name) == "label" for name in called):
        return ("label",)
    if called:
        return (_only(path, called, values, "labels", "--label-column"),)
    weights = named_as_weights(others)
    kinds = {name: _label_kind(column) for name, column in others.items() if name not in weights}
    numbers = tuple(name for name, kind in kinds.items() if kind == "numbers")
    named = [name for name, kind in kinds.items() if kind == "names"]
    if len(numbers) > 1 and not named:
        return numbers
    found = _only(path, [*named, *numbers], values, "labels", "--label-column")
    if found in map(str, others[found]):
        cause = f"the first line looks like a row, since '{found}' is a label of others too"
        raise TableError(path, f"{cause}; {NO_HEADER}")
    return (found,)


def _only(path: Path, found: Sequence[str], present: Collection[str], what: str, option: str) -> str:
    """The column that alone can be meant.

    Raises:
        MissingColumnError: there is none.
        TableError: there are several.
    """
    if len(found) == 1:
        return found[0]
    if found:
        together = ",".join(found)
        cause = f"several columns may hold the {what}: {', '.join(map(repr, found))}; say which with {option} NAME"
        raise TableError(path, f"{cause}, or {option} {together!r} for all of them")
    cause = f"no column looks like that of the {what}; the file has {', '.join(map(repr, present))}"
    hint = " (is its first line a row and no header?)" if any(WORDS.search(name) for name in present) else ""
    raise MissingColumnError(path, f"{cause}{hint}; say which with {option} NAME")


def _has_letters(column: Sequence[object]) -> bool:
    """True if most values are strings with a letter in them."""
    present = [value for value in column if value is not None and value != ""]
    return 2 * sum(isinstance(value, str) and any(map(str.isalpha, value)) for value in present) > len(present)


def _holds_words(column: Sequence[object], *, least: float) -> bool:
    """True if so large a share of the values holds two words, and most values differ."""
    texts = [value for value in column if isinstance(value, str) and value.strip()]
    wordy = sum(WORDS.search(text) is not None for text in texts)
    return bool(texts) and wordy >= least * len(texts) and 2 * len(set(texts)) >= len(texts)


def _label_kind(column: Sequence[object]) -> Kind | None:
    """`numbers` for a column of 0 and 1 or of probabilities, `names` for one of labels; None for neither."""
    present = [value for value in column if value is not None and value != ""]
    if not present:
        return None
    numbers = [as_number(value) for value in present]
    if all(number is not None and 0 <= number <= 1 for number in numbers):
        return "numbers"
    if any(is_map(value) for value in present) or all(isinstance(value, list | tuple) for value in present):
        return "names"
    counts = Counter(map(str, present))
    short = sum(map(len, map(str, present))) <= FEW_LETTERS * len(present)
    return "names" if short and 2 * len(counts) <= len(present) else None


def _said(what: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{what} found in column '{names[0]}'"
    return f"{what} found in {len(names)} columns: {', '.join(map(repr, names))}"
