"""The error of a data file, and the row that it names."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """A row's place in a data file.

    Attributes:
        number: 1 for the first row of data; a header is not counted.
        line: the line of the file where the row ends, None where the format has no lines.
    """

    number: int
    line: int | None = None

    def __str__(self) -> str:
        return f"row {self.number}" if self.line is None else f"row {self.number} (line {self.line})"


class TableError(Exception):
    """A data file cannot be used; the message names the file and, where known, row and column.

    Attributes:
        path: the file at fault.
        cause: what is wrong, as one clause.
        row: where in the file, None if the fault is not in one row.
        column: name of the column, None if the fault is not in one column.
    """

    def __init__(self, path: Path, cause: str, *, row: Row | None = None, column: str | None = None) -> None:
        place = [str(path)]
        if row is not None:
            place.append(str(row))
        if column is not None:
            place.append(f"column '{column}'")
        super().__init__(f"{', '.join(place)}: {cause}")
        self.path = path
        self.cause = cause
        self.row = row
        self.column = column


class MissingColumnError(TableError):
    """The file has no column of the name."""
