"""Record batches with row numbers, which every format is read into."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tables.errors import MissingColumnError, Row, TableError
from tables.names import clean_name, same_name
from tables.reading import Reading, count

STRING = pa.large_string()
"""Type of a column of CSV and TSV; 64-bit offsets, so that no batch is too large for it."""

JSON = pa.json_(STRING)
"""Type of a column of JSON lines: each value as JSON, because one column may hold values of several types."""

Columns = Sequence[str] | None
"""Names of the columns to read; None is all that the first rows have."""

BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
"""Tests for types of bytes of any length."""

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
        values = python_values(array)
        if array.type == JSON:  # all at once, which is three times as fast as one by one
            values = json.loads(f"[{','.join('null' if value is None else str(value) for value in values)}]")
        return values


def python_values(array: Any) -> list[object]:
    """The values of an array: numbers of 32 bits as they are written, and a time for which Python has no type as text.

    There is none for years beyond 9999, for unknown zones and, without pandas, for nanoseconds.

    >>> python_values(pa.array([0, 10**15], pa.timestamp("ms")))
    [datetime.datetime(1970, 1, 1, 0, 0), '<value out of range: 1000000000000000>']
    """
    if pa.types.is_float32(array.type):
        array = array.cast(pa.string()).cast(pa.float64())  # 0.1, and not 0.10000000149011612
    try:
        values: list[object] = array.to_pylist()
    except (ValueError, OverflowError):
        return list(map(_python_value, array))
    return values


def _python_value(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        if isinstance(scalar, pa.StructScalar):
            return {name: _python_value(value) for name, value in scalar.items()}
        if isinstance(scalar, pa.ListScalar):
            return list(map(_python_value, scalar))
        plain = scalar.cast(pa.timestamp(scalar.type.unit)) if pa.types.is_timestamp(scalar.type) else scalar
        return str(plain.cast(pa.string()))


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
    """The next rows of a format that has no lines, counted in `reading`; bytes, as older programs write, are UTF-8.

    Bytes stay bytes where most values of a column are no text, such as images.
    """
    arrays = [_plain(array, reading) for array in columns.values()]
    start, reading.rows = reading.rows, reading.rows + (len(arrays[0]) if arrays else 0)
    numbers = pa.array(np.arange(start + 1, reading.rows + 1))
    return Batch(pa.RecordBatch.from_arrays(arrays, names=list(columns)), numbers, lines=None)


def _plain(array: pa.Array, reading: Reading) -> pa.Array:
    """A column in the type that it has in all formats: text that stands as bytes is text, and JSON is `JSON`."""
    if isinstance(array.type, pa.JsonType):
        return array.cast(array.type.storage_type).cast(STRING).cast(JSON)
    if not any(is_binary(array.type) for is_binary in BINARY):
        return array
    try:
        return array.cast(STRING)
    except pa.ArrowInvalid:
        texts = [None if value is None else value.decode("utf-8", "replace") for value in array.to_pylist()]
    damaged = [text for text in texts if text is not None and "\ufffd" in text]
    if 2 * len(damaged) > len(texts) - texts.count(None):
        return array
    reading.encoding = "UTF-8"
    reading.replaced += sum(text.count("\ufffd") for text in damaged)
    return pa.array(texts, STRING)


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
        names = list(map(clean_name, present))
        for place, name in enumerate(names):
            places.setdefault(name, place)
        places.pop("", None)
        if unnamed := names.count(""):
            reading.remarks.append(f"{count(unnamed, 'column')} without a name left out")
        if again := [name for name in places if names.count(name) > 1]:
            reading.remarks.append(f"of several columns called {', '.join(map(repr, again))} the first is read")
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
