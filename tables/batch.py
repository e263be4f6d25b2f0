"""Record batches with row numbers, which every format is read into."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from tables.errors import MissingColumnError, Row, TableError
from tables.names import clean_name, same_name
from tables.reading import Reading

STRING = pa.large_string()
"""Type of a column of CSV and TSV; 64-bit offsets, so that no batch is too large for it."""

JSON = pa.json_(STRING)
"""Type of a column of JSON lines: each value as JSON, because one column may hold values of several types."""

Columns = Sequence[str] | None
"""Names of the columns to read; None is all that the first rows have."""

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
        paths: the file of each row, where a table is of several; else None.
    """

    records: pa.RecordBatch
    numbers: pa.Int64Array
    lines: pa.Int64Array | None
    paths: Sequence[Path] | None = None

    @property
    def rows(self) -> list[Row]:
        """The place of each row in the file."""
        numbers = self.numbers.to_pylist()
        lines = [None] * len(numbers) if self.lines is None else self.lines.to_pylist()
        paths: Sequence[Path | None] = self.paths or [None] * len(numbers)
        return list(map(Row, numbers, lines, paths))

    def slice(self, start: int, end: int) -> "Batch":
        """The rows from `start` up to `end`, which count from 0, without a copy."""
        lines, paths = self.lines, self.paths
        return Batch(
            self.records.slice(start, end - start),
            self.numbers.slice(start, end - start),
            None if lines is None else lines.slice(start, end - start),
            None if paths is None else paths[start:end],
        )

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


def numbered(columns: Mapping[str, pa.Array], reading: Reading) -> Batch:
    """The next rows of a format that has no lines, counted in `reading`; bytes, as older programs write, are UTF-8."""
    arrays = [array.cast(STRING) if _is_binary(array.type) else array for array in columns.values()]
    start, reading.rows = reading.rows, reading.rows + (len(arrays[0]) if arrays else 0)
    numbers = pa.array(np.arange(start + 1, reading.rows + 1))
    return Batch(pa.RecordBatch.from_arrays(arrays, names=list(columns)), numbers, lines=None)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def find_columns(path: Path, wanted: Columns, present: Sequence[str], reading: Reading) -> dict[str, int]:
    """Finds the wanted columns: by their names, or else by names that differ in case, spaces or invisible characters.

    Args:
        path: the file.
        wanted: names of columns; None is all, of those with one name the first.
        present: the names in the file.
        reading: is told of names that differ.

    Returns:
        The place of each column by its wanted name.

    Raises:
        MissingColumnError: a column is missing.
        TableError: several columns have its name.
    """
    places: dict[str, int] = {}
    if wanted is None:
        for place, name in enumerate(map(clean_name, present)):
            places.setdefault(name, place)
        places.pop("", None)
        return places
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
        places[name] = found[0]
    return places
