"""Reads JSON objects as rows: one a line, one after the other, or in an array."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from tables.batch import JSON, Batch, batches_of, find_columns
from tables.errors import Row, TableError
from tables.names import same_name
from tables.reading import Reading
from tables.text import open_text

SPACE = " \t\r\n"
NESTED = ("data", "rows", "records", "examples")
"""Keys under which a single object may hold the array of rows."""


def read_json(path: Path, columns: Sequence[str], batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the named fields of each object; null stands for one that an object lacks."""
    return batches_of(_rows(path, columns, reading), columns, JSON, batch_rows)


def _rows(path: Path, columns: Sequence[str], reading: Reading) -> Iterator[tuple[Row, list[str | None]]]:
    """Yields the place and the chosen values of each object, as JSON.

    Raises:
        TableError: something is not JSON or no object, or no object has one of the columns.
    """
    encode = json.JSONEncoder().encode
    names: dict[str, str] = {}
    first: dict[str, object] | None = None
    for number, (line, record) in enumerate(_records(path, reading), 1):
        row = Row(number, line)
        if not isinstance(record, dict):
            raise TableError(path, f"expected one JSON object a row, found {type(record).__name__}", row=row)
        first = record if first is None else first
        for column in columns:
            if column not in names and (key := _find(path, column, record, reading)) is not None:
                names[column] = key
        reading.rows += 1
        values = [record.get(names.get(column, column)) for column in columns]
        yield row, [None if value is None else encode(value) for value in values]
    if first is None:
        raise TableError(path, "is empty")
    find_columns(path, [column for column in columns if column not in names], list(first), reading)


def _find(path: Path, column: str, record: dict[str, object], reading: Reading) -> str | None:
    """The key that a column has in an object, None if it has none."""
    if column in record:
        return column
    if any(same_name(key, column) for key in record):
        (place,) = find_columns(path, [column], list(record), reading)
        return list(record)[place]
    return None


def _records(path: Path, reading: Reading) -> Iterator[tuple[int, object]]:
    """Yields the line where each value ends, and the value."""
    # Lines end at a line feed only: JSON strings may hold U+2028 and its like unescaped.
    with open_text(path, reading) as file:
        reading.form, reading.lines = "JSON lines", 0
        lines = iter(file)
        for text in lines:
            reading.lines += 1
            plain = text.strip(SPACE + "\ufeff")
            if not plain:
                reading.empty += 1
                continue
            try:
                record = json.loads(plain)
            except (ValueError, RecursionError) as error:
                if reading.rows:
                    raise TableError(
                        path, f"not valid JSON: {error}", row=Row(reading.rows + 1, reading.lines)
                    ) from error
                yield from _whole(path, "".join(chain([text], lines)), reading)
                return
            if isinstance(record, list) and not reading.rows:
                yield from _whole(path, "".join(chain([text], lines)), reading)
                return
            yield reading.lines, record


def _whole(path: Path, text: str, reading: Reading) -> Iterator[tuple[int, object]]:
    """Yields the objects of an array, or of a sequence with white space or commas between them, in a whole file."""
    reading.form, before = "JSON", reading.lines or 0
    decoder = json.JSONDecoder()
    text = text.lstrip("\ufeff")
    place = line_place = 0
    line, in_array, number = before, False, 0
    while True:
        while place < len(text) and text[place] in SPACE + ",":
            place += 1
        if not in_array and not number and text.startswith("[", place):
            in_array, place = True, place + 1
            reading.form = "JSON array"
            continue
        if place >= len(text) or (in_array and text[place] == "]"):
            break
        try:
            record, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            where = getattr(error, "pos", place)
            row = Row(number + 1, before + text.count("\n", 0, where))
            raise TableError(path, f"not valid JSON: {error}", row=row) from error
        line, line_place, place = line + text.count("\n", line_place, end), end, end
        inner = (
            next((record[key] for key in NESTED if isinstance(record.get(key), list)), None)
            if (isinstance(record, dict) and not number and not in_array)
            else None
        )
        for one in [record] if inner is None else inner:
            number += 1
            yield line, one
    if in_array and place >= len(text):
        raise TableError(path, "not valid JSON: the array is not closed; is the file cut off?")
    reading.lines = before + text.count("\n") + (not text.endswith("\n")) - 1
    reading.inside, reading.empty = reading.lines - number, 0
