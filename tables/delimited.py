"""Reads files of fields with separators between them: CSV and TSV."""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tables.batch import STRING, Batch, batches_of, check_columns
from tables.errors import Row, TableError
from tables.text import open_text

Rows = Iterator[tuple[int, list[str]]]
"""The line where each row ends, and its fields."""


def read_csv(path: Path, columns: Sequence[str], batch_rows: int) -> Iterator[Batch]:
    """Reads fields with commas between them, those with commas, quotation marks or line breaks quoted."""
    return batches_of(_rows(path, columns, ",", csv.QUOTE_MINIMAL), columns, STRING, batch_rows)


def read_tsv(path: Path, columns: Sequence[str], batch_rows: int) -> Iterator[Batch]:
    """Reads fields with tabs between them.

    Quotation marks count as in CSV where the whole file is well formed so, and as plain characters otherwise. So the
    file is read twice.
    """
    quoting = csv.QUOTE_NONE
    with suppress(TableError):
        for _ in _rows(path, columns, "\t", csv.QUOTE_MINIMAL):
            pass
        quoting = csv.QUOTE_MINIMAL
    return batches_of(_rows(path, columns, "\t", quoting), columns, STRING, batch_rows)


def _rows(path: Path, columns: Sequence[str], delimiter: str, quoting: int) -> Rows:
    """Yields the chosen fields of each row below the header; empty lines are passed over.

    Raises:
        TableError: there is no header, a row is of another width, or a quotation mark is neither closed nor doubled.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with open_text(path, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
        try:
            header = next(filter(None, reader), None)
            if header is None:
                raise TableError(path, "is empty")
            check_columns(path, columns, header)
            places = [header.index(column) for column in columns]
            for number, fields in enumerate(filter(None, reader), 1):
                if len(fields) != len(header):
                    cause = f"{len(fields)} fields where the header has {len(header)}"
                    raise TableError(path, cause, row=Row(number, reader.line_num))
                yield reader.line_num, [fields[place] for place in places]
        except csv.Error as error:
            cause = f"not valid CSV: {error}; is a quotation mark not closed or not doubled?"
            raise TableError(path, cause) from error
