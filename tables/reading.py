"""An account of what a reader did with one file, so that no row is lost, joined or changed in silence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tables.address import address_of
from tables.errors import Row

SHOWN = 3
"""Rows that a sentence names; the others are counted."""


@dataclass(slots=True)
class Places:
    """Number of rows to which something happened, and the first of them."""

    count: int = 0
    first: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Counts a row, and notes it among the first."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(row)

    def __str__(self) -> str:
        more = self.count - len(self.first)
        return ", ".join(map(str, self.first)) + (f" and {more:,} more" if more else "")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that a table holds and that cannot be used.

    Attributes:
        path: the file.
        row: its place in the file.
        cause: what is wrong, as one clause.
        content: the row as far as it could be read: values by column, a list of fields, or the line.
    """

    path: Path
    row: Row
    cause: str
    content: object


@dataclass(slots=True)
class Reading:
    """A reader's findings in a file, and the ways in which it dealt with them.

    Where a file has lines, `lines` is the sum of the header's, `rows`, `left_out`, `empty` and `inside`.

    Attributes:
        path: the file.
        form: the form of its content, such as `CSV` or `GZIP, JSON lines`.
        encoding: of a text format, else empty.
        rows: rows that were given on.
        lines: lines of a text format, the header included; None for other formats.
        header_lines: lines up to the end of the header, also of a sheet; 0 where names are no line of the file.
        inside: line breaks inside fields or records.
        empty: lines and rows that hold nothing; passed over.
        short: rows with fewer fields than the header; what is missing counts as empty.
        trailing: rows with more fields than the header, all of them empty; cut.
        left_out: rows with more fields than the header, which cannot be told apart.
        unclosed: rows with quotation marks that begin a field but do not enclose it, read as characters of the text.
        loose: rows in which quotation marks inside a quoted field are not doubled.
        escaped: rows in which quotation marks are escaped by backslashes.
        replaced: places that the encoding has no character for, read as U+FFFD.
        remarks: further sentences, for example about names of columns.
        refuse: takes each row that cannot be read, and reading goes on; where it is None such rows are counted, or end
            the reading with an error.
    """

    path: Path
    form: str = ""
    encoding: str = ""
    rows: int = 0
    lines: int | None = None
    header_lines: int = 0
    inside: int = 0
    empty: int = 0
    short: Places = field(default_factory=Places)
    trailing: Places = field(default_factory=Places)
    left_out: Places = field(default_factory=Places)
    unclosed: Places = field(default_factory=Places)
    loose: Places = field(default_factory=Places)
    escaped: Places = field(default_factory=Places)
    replaced: int = 0
    remarks: list[str] = field(default_factory=list)
    refuse: Callable[[BadRow], object] | None = None

    def describe(self) -> str:
        """The account as one line."""
        lines = "" if self.lines is None else f" from {count(self.lines, 'line')}"
        parts = [f"{count(self.rows, 'row')}{lines}", ", ".join(filter(None, [self.form, self.encoding]))]
        if self.inside and not self.form.startswith("JSON"):
            parts.append(f"{count(self.inside, 'line break')} inside fields")
        if self.empty:
            parts.append(f"{count(self.empty, 'empty row')} passed over")
        if self.trailing.count:
            parts.append(f"{count(self.trailing.count, 'row')} with empty fields beyond the header, cut")
        for places, what in (
            (self.escaped, "with quotation marks escaped by backslashes"),
            (self.loose, "with quotation marks that are not doubled inside a field, read as part of it"),
            (self.unclosed, "with a quotation mark that begins a field and does not enclose it, read as part of it"),
        ):
            if places.count:
                parts.append(f"{count(places.count, 'row')} {what} ({places})")
        return f"{address_of(self.path)}: {'; '.join(parts + self.remarks + self.warnings())}"

    @property
    def misread(self) -> Places:
        """The rows with fewer or more fields than the header."""
        first = sorted([*self.short.first, *self.left_out.first], key=lambda row: row.number)[:SHOWN]
        return Places(self.short.count + self.left_out.count, first)

    def warnings(self) -> list[str]:
        """The sentences that a person should read before trusting the rows; empty if there are none."""
        found = [
            (self.short, "shorter than the header, the rest taken for empty"),
            (self.left_out, "left out, which have more fields than the header"),
        ]
        sentences = [f"{count(places.count, 'row')} {what} ({places})" for places, what in found if places.count]
        if self.replaced:
            sentences.append(f"{count(self.replaced, 'place')} not valid in {self.encoding}, read as '\ufffd'")
        return sentences


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "row"), count(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
