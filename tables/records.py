"""Cuts the lines of a delimited file into records, and mends those whose quotation marks are wrong.

Python's csv module does the cutting. A record that it reads strictly, on one line and as wide as the header, is taken
as it is. Any other is looked at: a quoted field may hold line breaks, but a quotation mark that was never meant as one
must not swallow the rows below it.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tables.dialect import Dialect

MAX_FIELD_CHARS = 1 << 24
"""A field of more characters counts as one that is not closed."""

MAX_LOOSE_LINES = 100
"""Lines of a record whose quotation marks are not doubled, at most."""

MANY_LINES = 8
"""So many lines as wide as the header are rows, even if no value of theirs is known."""

ESCAPED = re.compile(r'((?:^|[^\\])(?:\\\\)*)\\(?=")')

Way = Literal["strict", "escaped", "loose", "literal"]


@dataclass(frozen=True, slots=True)
class Record:
    """A record: its fields, the lines that it stands on, the last of them by number, and the way it was read."""

    fields: list[str]
    num_lines: int
    line: int
    way: Way


class Lines:
    """Lines of a file that can be put back; `number` counts those taken, `taken` holds those of the record at hand."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._back: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._file)
        self.number += 1
        self.taken.append(line)
        return line

    def keep(self, count: int) -> None:
        """Puts back all lines taken but the first `count`."""
        spare = self.taken[count:]
        self._back.extendleft(reversed(spare))
        self.number -= len(spare)
        del self.taken[count:]


class Known:
    """Values of the columns, by which a line is recognised as a row of the table.

    They are those of the records as they stand, not of all lines: lines of one text may be alike in many texts, such as
    a greeting with a comma.
    """

    def __init__(self, dialect: Dialect, width: int, sample: Iterable[str]) -> None:
        records = read_records(Lines(sample), dialect, None)
        rows = [record.fields for record in records if len(record.fields) == width]
        self.width = width
        self._dialect = dialect
        columns = list(zip(*rows, strict=True)) if rows else [()] * width
        self._values = [set(column) for column in columns]
        self._numeric = [sum(map(_is_number, column)) > 0.9 * len(column) > 0 for column in columns]
        self._repeats = [2 * len(values) <= len(rows) for values in self._values]

    def are_rows(self, lines: Sequence[str]) -> bool:
        """True if the lines of one record look like rows of their own, which a quotation mark has joined.

        They are as wide as the header, and at least every second has a value that its column has elsewhere. Where a
        column repeats its values, such as the labels, only its values count: texts such as "thanks" are lines of other
        texts too. Beside the quotation mark itself the first line counts only after it, and the last only before it.
        """
        split = [self._dialect.split(_bare(line)) for line in lines if line.strip()]
        if self.width == 1 or len(split) < 2 or 2 * sum(len(fields) == self.width for fields in split) <= len(split):
            return False
        mark = self._dialect.quote
        opens = next((place for place, field in enumerate(split[0]) if field.startswith(mark)), 0)
        closes = next((place for place, field in enumerate(split[-1]) if field.endswith(mark)), 0)
        spans = [range(opens + 1, self.width), *[range(self.width)] * (len(split) - 2), range(closes)]
        known = sum(self._knows(fields, span) for fields, span in zip(split, spans, strict=True))
        as_wide = all(len(fields) == self.width for fields in split)
        return 2 * known >= len(split) - 1 or (as_wide and len(split) > MANY_LINES)

    def is_as_wide(self, line: str) -> bool:
        """True if a line by itself has as many fields as the header."""
        return len(self._dialect.split(_bare(line))) == self.width

    def _knows(self, fields: Sequence[str], places: range) -> bool:
        if len(fields) != self.width:
            return False
        telling = [place for place in places if self._repeats[place] or self._numeric[place]] or places
        return any(
            fields[place].strip() and (fields[place] in self._values[place] or self._is_number(fields, place))
            for place in telling
        )

    def _is_number(self, fields: Sequence[str], place: int) -> bool:
        return self._numeric[place] and _is_number(fields[place])


def read_records(lines: Lines, dialect: Dialect, known: Known | None) -> Iterator[Record]:
    """Yields all records, empty lines as records of one empty field.

    Args:
        lines: of the file, from the one to begin with.
        dialect: how fields are separated and quoted.
        known: what rows look like; None while only a header is read.
    """
    csv.field_size_limit(MAX_FIELD_CHARS)
    reader = _strict_reader(lines, dialect)
    width = None if known is None else known.width
    while True:
        lines.taken.clear()
        try:
            fields: list[str] | None = next(reader) or [""]
        except StopIteration:
            return
        except csv.Error:
            fields = None
        way: Way = "strict"
        if fields is None or len(lines.taken) > 1 or (width is not None and len(fields) != width):
            fields, way = _mend(fields, lines, dialect, known)
        yield Record(fields, len(lines.taken), lines.number, way)


def _strict_reader(lines: Iterable[str], dialect: Dialect) -> Iterator[list[str]]:
    return csv.reader(
        lines,
        delimiter=dialect.separator,
        quotechar=dialect.quote,
        skipinitialspace=dialect.skip_space,
        strict=True,
    )


def _mend(fields: list[str] | None, lines: Lines, dialect: Dialect, known: Known | None) -> tuple[list[str], Way]:
    """Reads a record that is no plain line, in the first way that gives a row as wide as the header.

    The ways: as it stands; quotation marks escaped by backslashes; quotation marks inside a field not doubled; the
    first line by itself, with quotation marks as characters.
    """
    taken = len(lines.taken)
    joined = known is not None and known.are_rows(lines.taken)
    fits = fields is not None and not joined
    if fields is not None and fits and (known is None or len(fields) == known.width):
        return fields, "strict"
    if known is not None and dialect.quote in lines.taken[0]:
        for way, read in _OTHER_WAYS.items():
            found = read(lines, dialect, known)
            if found is not None:
                lines.keep(found[1])
                return found[0], way
    if fields is not None and fits:
        lines.keep(taken)
        return fields, "strict"
    lines.keep(1)
    return dialect.split(_bare(lines.taken[0])), "literal"


def _read_escaped(lines: Lines, dialect: Dialect, known: Known) -> tuple[list[str], int] | None:
    """Fields and number of lines of a record whose quotation marks are escaped by backslashes; None if it is none."""
    if '\\"' not in "".join(lines.taken):
        return None
    plain = Lines(ESCAPED.sub(r'\1"', line) for line in _from_the_first(lines))
    try:
        fields = next(_strict_reader(plain, dialect), [])
    except csv.Error:
        return None
    used = len(plain.taken)
    return None if len(fields) != known.width or known.are_rows(lines.taken[:used]) else (fields, used)


def _from_the_first(lines: Lines) -> Iterator[str]:
    """Yields the lines of a record, then further ones of the file."""
    for place in range(MAX_LOOSE_LINES):
        if place == len(lines.taken) and next(lines, None) is None:
            return
        yield lines.taken[place]


def _read_loose(lines: Lines, dialect: Dialect, known: Known) -> tuple[list[str], int] | None:
    """Fields and number of lines of a record with undoubled quotation marks inside a field; None if it is none."""
    for used in range(1, MAX_LOOSE_LINES + 1):
        if used > len(lines.taken) and next(lines, None) is None:
            return None
        if used > 1 and any(known.is_as_wide(line) for line in lines.taken[:used]):
            return None
        fields = dialect.split_loose(_bare("".join(lines.taken[:used])))
        if fields is not None:
            return (fields, used) if len(fields) == known.width else None
    return None


_OTHER_WAYS: dict[Way, Callable[[Lines, Dialect, Known], tuple[list[str], int] | None]] = {
    "escaped": _read_escaped,
    "loose": _read_loose,
}


def _bare(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
