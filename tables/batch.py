"""Record batches with row numbers, which every format is read into."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from tables.errors import MissingColumnError, Row, TableError
from tables.names import same_name
from tables.reading import Reading

STRING = pa.large_string()
"""Type of a column of CSV and TSV; 64-bit offsets, so that no batch is too large for it."""

JSON = pa.json_(STRING)
"""Type of a column of JSON lines: each value as JSON, because one column may hold values of several types."""

BATCH_ROWS = 4096
"""Rows of a batch unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a data file.

    Attributes:
        records: the chosen columns. Those of CSV and TSV are strings, those of JSON lines JSON (`arrow.json`), those of
            Parquet what the file says.
        numbers: int64, the number of each row in the file; see `Row`.
        lines: int64, the line where each row ends; None where the format has no lines.
    """

    records: pa.RecordBatch
    numbers: pa.Int64Array
    lines: pa.Int64Array | None

    @property
    def rows(self) -> list[Row]:
        """The place of each row in the file."""
        numbers = self.numbers.to_pylist()
        lines = [None] * len(numbers) if self.lines is None else self.lines.to_pylist()
        return list(map(Row, numbers, lines))

    def values(self, column: str) -> list[object]:
        """A column as Python values; None stands for null."""
        array = self.records.column(column)
        values: list[object] = array.to_pylist()
        if array.type == JSON:  # all at once, which is three times as fast as one by one
            values = json.loads(f"[{','.join('null' if value is None else str(value) for value in values)}]")
        return values


def batches_of(
    rows: Iterable[tuple[Row, Sequence[str | None]]], columns: Sequence[str], kind: pa.DataType, batch_rows: int
) -> Iterator[Batch]:
    """Gathers rows into batches.

    Args:
        rows: the place of each row and its values, one a column.
        columns: names of the columns.
        kind: `STRING` or `JSON`.
        batch_rows: rows of a batch; the last may have fewer.
    """
    left = iter(rows)
    while chunk := list(islice(left, batch_rows)):
        arrays = [pa.array([values[place] for _, values in chunk], STRING) for place in range(len(columns))]
        has_lines = chunk[0][0].line is not None
        yield Batch(
            pa.RecordBatch.from_arrays([array.cast(kind) for array in arrays], names=list(columns)),
            pa.array([row.number for row, _ in chunk], pa.int64()),
            pa.array([row.line for row, _ in chunk], pa.int64()) if has_lines else None,
        )


def find_columns(path: Path, wanted: Sequence[str], present: Sequence[str], reading: Reading) -> list[int]:
    """Finds the wanted columns: by their names, or else by names that differ in case, spaces or invisible characters.

    Raises:
        MissingColumnError: a column is missing.
        TableError: several columns have its name.
    """
    places = []
    for name in wanted:
        found = [place for place, other in enumerate(present) if other == name]
        if not found:
            found = [place for place, other in enumerate(present) if same_name(other, name)]
            if len(found) == 1:
                reading.remarks.append(f"column {present[found[0]]!r} taken for '{name}'")
        if not found:
            raise MissingColumnError(path, f"no column '{name}'; the file has {', '.join(map(repr, present))}")
        if len(found) > 1:
            raise TableError(path, "two columns have this name", column=name)
        places.append(found[0])
    return places
