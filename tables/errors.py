"""The error of a data file, and the row that it names."""

from dataclasses import dataclass
from pathlib import Path

from tables.address import address_of


@dataclass(frozen=True, slots=True)
class Row:
    """A row's place in a data file.

    Attributes:
        number: 1 for the first row of data; a header is not counted.
        line: the line of the file where the row ends, None where the format has no lines.
        path: the file, where a table is of several; else None.
    """

    number: int
    line: int | None = None
    path: Path | None = None

    @property
    def place(self) -> str:
        """The place in its file."""
        return f"row {self.number}" if self.line is None else f"row {self.number} (line {self.line})"

    def __str__(self) -> str:
        return self.place if self.path is None else f"{self.path.name} {self.place}"


class TableError(Exception):
    """A data file cannot be used; the message names the file and, where known, row and column.

    Attributes:
        path: the file at fault.
        cause: what is wrong, as one clause.
        row: where in the file, None if the fault is not in one row.
        column: name of the column, None if the fault is not in one column.
    """

    def __init__(self, path: Path, cause: str, *, row: Row | None = None, column: str | None = None) -> None:
        path = path if row is None or row.path is None else row.path
        place = [address_of(path)]
        if row is not None:
            place.append(row.place)
        if column is not None:
            place.append(f"column '{column}'")
        super().__init__(f"{', '.join(place)}: {cause}")
        self.path = path
        self.cause = cause
        self.row = row
        self.column = column


class MissingColumnError(TableError):
    """The file has no column of the name."""
