"""Reads JSON objects as rows: one a line, one after the other, in an array, or a table in a single object."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

from tables.batch import JSON, Batch, Columns, batches_of, find_columns
from tables.errors import Row, TableError
from tables.names import COMMON, same_name
from tables.reading import BadRow, Reading
from tables.text import open_text

SPACE = " \t\r\n"
NESTED = ("data", "rows", "records", "examples")
"""Keys under which a single object may hold the array of rows."""

ENCODE = json.JSONEncoder(ensure_ascii=False).encode
SURROGATE = re.compile("[\ud800-\udfff]")

FEW_KEYS = 5
"""Keys that a sentence names."""

FIRST_RECORDS = 500
"""The columns of a file, where they are not named, are the keys of so many objects."""


@dataclass(frozen=True, slots=True)
class _NoJson:
    """A line that is not JSON."""

    line: str
    cause: str


def read_json(path: Path, columns: Columns, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the named fields of each object; null stands for one that an object lacks.

    Raises:
        TableError: something is not JSON or no object, or no object has one of the columns.
    """
    records = _unfolded(_records(path, reading), path, COMMON if columns is None else columns, reading)
    if columns is None:
        first = list(islice(records, FIRST_RECORDS))
        columns = list(dict.fromkeys(key for _, record in first if isinstance(record, dict) for key in record))
        records = _without_other_keys(chain(first, records), columns, reading)
    yield from batches_of(_rows(records, path, columns, reading), columns, JSON, batch_rows)


def _without_other_keys(
    records: Iterable[tuple[int, object]], columns: Sequence[str], reading: Reading
) -> Iterator[tuple[int, object]]:
    """Yields the records; in the end, says which keys some of them have that are no column."""
    known, other = set(columns), dict[str, int]()
    for line, record in records:
        if isinstance(record, dict) and not known.issuperset(record):
            for key in record:
                if key not in known:
                    other[key] = other.get(key, 0) + 1
        yield line, record
    if other:
        named = ", ".join(f"{key!r} ({number:,})" for key, number in list(other.items())[:FEW_KEYS])
        more = f" and {len(other) - FEW_KEYS:,} more" if len(other) > FEW_KEYS else ""
        reading.remarks.append(
            f"keys that none of the first {FIRST_RECORDS} objects has are no columns: {named}{more}; name those to keep"
        )


def _rows(
    records: Iterator[tuple[int, object]], path: Path, columns: Sequence[str], reading: Reading
) -> Iterator[tuple[Row, list[str | None]]]:
    """Yields the place and the chosen values of each object, as JSON.

    Raises:
        TableError: something is not JSON or no object, or no object has one of the columns.
    """
    names: dict[str, str] = {}
    first: dict[str, object] | None = None
    number = 0
    for number, (line, record) in enumerate(records, 1):
        row = Row(number, line)
        if not isinstance(record, dict):
            _refuse(path, row, record, reading)
            continue
        first = record if first is None else first
        for column in columns:
            if column not in names and (key := _find(path, column, record, reading)) is not None:
                names[column] = key
        reading.rows += 1
        values = [record.get(names.get(column, column)) for column in columns]
        yield row, [None if value is None else _encoded(value, reading) for value in values]
    if first is None:
        if number:
            return  # all rows were refused
        raise TableError(path, "is empty")
    find_columns(path, [column for column in columns if column not in names], list(first), reading)


def _encoded(value: object, reading: Reading) -> str:
    """A value as JSON. Half a surrogate pair, as programs leave it that cut a text inside an emoji, is no character."""
    text = ENCODE(value)
    if text.isascii() or not (halves := len(SURROGATE.findall(text))):
        return text
    reading.replaced += halves
    return SURROGATE.sub("\ufffd", text)


def _refuse(path: Path, row: Row, record: object, reading: Reading) -> None:
    """Gives a row that is no object to `reading.refuse`.

    Raises:
        TableError: there is none.
    """
    if isinstance(record, _NoJson):
        cause, content = record.cause, record.line
    else:
        cause, content = f"expected one JSON object a row, found {type(record).__name__}", json.dumps(record)
    if reading.refuse is None:
        raise TableError(path, cause, row=row)
    reading.refuse(BadRow(reading.path, row, cause, content))


def _unfolded(
    records: Iterator[tuple[int, object]], path: Path, columns: Sequence[str], reading: Reading
) -> Iterator[tuple[int, object]]:
    """Yields the records, or the rows of the table that a single one of them is."""
    first = list(islice(records, 2))
    line, record = first[0] if len(first) == 1 else (0, None)
    rows = _table(path, record, columns) if isinstance(record, dict) else None
    if rows is None:
        yield from chain(first, records)
        return
    reading.form, reading.inside = "JSON table", (reading.lines or 0) - len(rows) - reading.empty
    for row in rows:
        yield line, row


def _table(path: Path, record: dict[str, Any], columns: Sequence[str]) -> list[object] | None:
    """The rows of an object that is a table, in one of the forms that pandas writes; None if it is a row itself.

    Raises:
        TableError: its columns have different lengths.
    """
    wanted = [value for key, value in record.items() if any(same_name(key, column) for column in columns)]
    if not wanted:
        rows = next((record[key] for key in NESTED if isinstance(record.get(key), list)), None)
        names = record.get("columns")
        if rows is not None and isinstance(names, list) and all(isinstance(row, list) for row in rows):
            return [dict(zip(map(str, names), row, strict=False)) for row in rows]  # orient="split"
        if rows is None and record and all(isinstance(row, dict) for row in record.values()):
            return list(record.values())  # orient="index"
        return rows
    if all(isinstance(value, dict) for value in wanted):  # orient="columns": values by the names of rows
        named = {key: value for key, value in record.items() if isinstance(value, dict)}
        order = dict.fromkeys(chain.from_iterable(named.values()))
        table = {key: [value.get(name) for name in order] for key, value in named.items()}
    elif all(isinstance(value, list) for value in wanted):
        table = {key: value for key, value in record.items() if isinstance(value, list)}
    else:
        return None
    if len(set(map(len, table.values()))) > 1:
        lengths = ", ".join(f"{key!r} {len(value):,}" for key, value in table.items())
        raise TableError(path, f"has columns of different lengths ({lengths}); write null where a row has no value")
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def _find(path: Path, column: str, record: dict[str, object], reading: Reading) -> str | None:
    """The key that a column has in an object, None if it has none."""
    if column in record:
        return column
    if any(same_name(key, column) for key in record):
        place = find_columns(path, [column], list(record), reading)[column]
        return list(record)[place]
    return None


def _records(path: Path, reading: Reading) -> Iterator[tuple[int, object]]:
    """Yields the line where each value ends, and the value."""
    # Lines end at a line feed only: JSON strings may hold U+2028 and its like unescaped.
    with open_text(path, reading) as file:
        reading.form, reading.lines, number = "JSON lines", 0, 0
        pairs = pairwise(chain(file, [""]))
        for text, following in pairs:
            reading.lines += 1
            plain = text.strip(SPACE + "\ufeff")
            if not plain:
                reading.empty += 1
                continue
            try:
                record = json.loads(plain)
            except (ValueError, RecursionError) as error:
                if number or _stands_alone(following, after=plain):
                    number += 1
                    yield reading.lines, _NoJson(plain, f"not valid JSON: {error}")
                    continue
                yield from _whole(path, _rest(text, following, pairs), reading)
                return
            if isinstance(record, list) and not number and not _is_object(following):
                yield from _whole(path, _rest(text, following, pairs), reading)
                return
            number += 1
            yield reading.lines, record


def _rest(text: str, following: str, pairs: Iterable[tuple[str, str]]) -> str:
    return "".join([text, following, *(after for _, after in pairs)])


def _stands_alone(line: str, *, after: str) -> bool:
    """True if a line is an object, and no part of one that a broken line before it begins."""
    if not _is_object(line):
        return False
    try:
        json.loads(f"{after}\n{line}")
    except (ValueError, RecursionError) as error:
        return isinstance(error, json.JSONDecodeError) and error.pos <= len(after) + 1
    return False


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


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
        number += 1
        yield line, record
    if in_array and place >= len(text):
        raise TableError(path, "not valid JSON: the array is not closed; is the file cut off?")
    if in_array and text[place + 1 :].strip(SPACE):
        row = Row(number, before + text.count("\n", 0, place))
        raise TableError(path, "not valid JSON: something follows the end of the array", row=row)
    reading.lines = before + text.count("\n") + (not text.endswith("\n")) - 1
    reading.inside, reading.empty = reading.lines - number, 0
