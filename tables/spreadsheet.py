"""Reads spreadsheets: Excel's .xlsx and .xls, and OpenDocument's .ods."""

import datetime
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from tables.batch import JSON, Batch, Columns, batches_of, find_columns
from tables.errors import Row, TableError
from tables.names import COMMON, same_name
from tables.reading import Reading

Cells = list[object]


def read_spreadsheet(
    path: Path, columns: Columns, batch_rows: int, reading: Reading, sheet: str | None = None
) -> Iterator[Batch]:
    """Reads a sheet, or the first that has the columns; its first row that is not empty names them.

    Raises:
        TableError: the file is damaged or locked by a password, or no sheet has the name or the columns.
    """
    reading.form = "spreadsheet"
    try:
        with path.open("rb") as file:
            book = CalamineWorkbook.from_filelike(file)
            names = book.sheet_names if sheet is None else [name for name in book.sheet_names if name == sheet]
            if not names:
                raise TableError(path, f"no sheet '{sheet}'; it has {', '.join(map(repr, book.sheet_names))}")
            sheets = [(name, _cells(book.get_sheet_by_name(name))) for name in names]
    except (CalamineError, ValueError) as error:
        raise TableError(path, f"not a readable spreadsheet: {error}") from error
    filled = [(name, rows, first) for name, rows in sheets if (first := _first_filled(rows)) is not None]
    if not filled:
        raise TableError(path, "is empty")
    name, rows, first = max(filled, key=lambda each: _num_found(each[1][each[2]], columns))  # of equals the first
    if len(filled) > 1 or sheet is not None:
        reading.remarks.append(f"sheet '{name}' is read" if sheet else f"of {len(filled)} sheets '{name}' is read")
    reading.header_lines = first + 1
    places = find_columns(path, columns, list(map(str, rows[first])), reading)
    return batches_of(_rows(rows, first, list(places.values()), reading), list(places), JSON, batch_rows)


def _cells(sheet: CalamineSheet) -> list[Cells]:
    return [list(row) for row in sheet.to_python(skip_empty_area=False)]


def _first_filled(rows: Sequence[Cells]) -> int | None:
    return next((place for place, row in enumerate(rows) if any(cell != "" for cell in row)), None)


def _num_found(header: Cells, columns: Columns) -> int:
    wanted = COMMON if columns is None else columns
    return sum(any(same_name(str(cell), column) for cell in header) for column in wanted)


def _rows(
    rows: Sequence[Cells], first: int, places: Sequence[int], reading: Reading
) -> Iterator[tuple[Row, list[str | None]]]:
    number = 0
    for line, cells in enumerate(rows[first + 1 :], first + 2):
        if not any(str(cell).strip() for cell in cells):
            reading.empty += 1
            continue
        number += 1
        reading.rows += 1
        yield Row(number, line), [as_json(cells[place]) for place in places]


def as_json(cell: object) -> str | None:
    """A cell as JSON; numbers are floats in a spreadsheet, dates become text."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    elif isinstance(cell, datetime.date | datetime.time | datetime.timedelta):
        cell = str(cell)
    return json.dumps(cell, ensure_ascii=False)
