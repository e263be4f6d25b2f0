"""Reads JSON lines: one object a line, empty lines passed over."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tables.batch import JSON, Batch, batches_of, check_columns
from tables.errors import Row, TableError
from tables.text import open_text


def read_json_lines(path: Path, columns: Sequence[str], batch_rows: int) -> Iterator[Batch]:
    """Reads the named fields of each object; the first object must have them all, null stands for one that lacks it."""
    return batches_of(_rows(path, columns), columns, JSON, batch_rows)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str | None]]]:
    number, encode = 0, json.JSONEncoder().encode
    # Lines end at a line feed only: JSON strings may hold U+2028 and its like unescaped.
    with open_text(path, newline="\n") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            number += 1
            try:
                record = json.loads(text.removesuffix("\n"))
                if not isinstance(record, dict):
                    cause = f"expected one JSON object a line, found {type(record).__name__}"
                    raise TableError(path, cause, row=Row(number, line))
                if number == 1:
                    check_columns(path, columns, list(record))
                values = [encode(record[column]) if record.get(column) is not None else None for column in columns]
            except (ValueError, RecursionError) as error:
                raise TableError(path, f"not valid JSON: {error}", row=Row(number, line)) from error
            yield line, values
    if not number:
        raise TableError(path, "is empty")
