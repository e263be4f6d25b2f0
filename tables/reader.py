"""Reads a table as record batches; the first bytes of a file say which format it has, whatever its name."""

import logging
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tables.address import is_remote, is_unicode
from tables.arrow import FILE, OLD_FEATHER, STREAM, read_arrow
from tables.batch import BATCH_ROWS, Batch, Columns
from tables.class_folder import read_class_folder
from tables.delimited import read_delimited
from tables.errors import MissingColumnError, Row, TableError
from tables.hub import is_hub, read_hub
from tables.json_objects import read_json
from tables.parquet import read_parquet
from tables.reading import SHOWN, BadRow, Places, Reading
from tables.remote import local_copy
from tables.sources import Part, find_parts, name_of
from tables.spreadsheet import read_spreadsheet
from tables.text import compression, open_bytes

LOGGER = logging.getLogger("tables")
"""Gets one line for each file that has been read to its end: what was found in it, and what was done about it."""

PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
JSON_NAMES = {".json", ".jsonl", ".ndjson"}
BINARY_NAMES = {".gz", ".zst", ".parquet", ".arrow", ".feather", ".xlsx", ".xls", ".ods"}
START_BYTES = 4096
WEB_PAGE = re.compile(r"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
JSON_START = re.compile(r"\s*(\[\s*)?\{\s*[\"}]|\s*\[\s*\]\s*$")

Read = Callable[[Path, Columns, int, Reading], Iterator[Batch]]


def read_batches(
    source: Path | Sequence[Path],
    columns: Columns,
    *,
    sheet: str | None = None,
    batch_rows: int = BATCH_ROWS,
    readings: list[Reading] | None = None,
    refuse: Callable[[BadRow], object] | None = None,
) -> Iterator[Batch]:
    """Reads the named columns of a table, `batch_rows` rows at a time.

    Args:
        source: the file or files; see `tables.sources.find_parts`.
        columns: their names; one that is there but for case, spaces or invisible characters is found. None is all.
        sheet: of a spreadsheet; None is the first that has the columns.
        batch_rows: rows of a batch, at most.
        readings: gets what was found in each file; `LOGGER` gets it as a line after the last batch of the file.
        refuse: gets the rows that cannot be read, before the batch that they would be in; see `Reading`.

    Raises:
        TableError: a file is missing, of an unknown format or damaged, or a column is not in it.
    """
    parts = find_parts(source)
    wanted = None if columns is None else list(dict.fromkeys(columns))
    for part in parts:
        reading = Reading(part.shown, refuse=refuse)
        if readings is not None:
            readings.append(reading)
        try:
            for batch in _read(part, wanted, sheet, batch_rows, reading):
                several = len(parts) > 1 and batch.paths is None
                yield replace(batch, paths=[part.shown] * len(batch.numbers)) if several else batch
        except MissingColumnError as error:
            if len(parts) == 1:
                raise
            together = "; files that are read together need the same names of columns: rename it here or there"
            raise MissingColumnError(error.path, error.cause + together) from error


def _read(part: Part, columns: Columns, sheet: str | None, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    if is_remote(part.path):
        with local_copy(part.path) as copy:
            yield from _read(Part(copy, part.shown), columns, sheet, batch_rows, reading)
        return
    try:
        read = read_hub if is_hub(part.path) else _reader(part.path, sheet, reading)
        packed = reading.form
        yield from read(part.path, columns, batch_rows, reading)
    except OSError as error:
        raise TableError(part.shown, f"cannot be read: {error.strerror or error}") from error
    except TableError as error:
        if error.path != part.path or part.path == part.shown:
            raise
        raise type(error)(part.shown, error.cause, row=error.row, column=error.column) from error
    reading.form = packed + reading.form
    LOGGER.info(reading.describe())


def _reader(path: Path, sheet: str | None, reading: Reading) -> Read:
    """The reader of the format that the first bytes tell."""
    if path.is_dir():
        return read_class_folder
    _check_is_file(path)
    with path.open("rb") as plain:
        packed = compression(plain.read(4))
    reading.form = f"{packed}, " if packed else ""
    with open_bytes(path) as file:
        start = file.read(8)
    other = start.startswith((PARQUET, ZIP, OLD_EXCEL, FILE, STREAM, OLD_FEATHER))
    if other and packed:
        raise TableError(path, f"is {packed} around a format that is packed already; unpack it first")
    if start.startswith((ZIP, OLD_EXCEL)):
        return _spreadsheet(path, sheet)
    if sheet is not None:
        raise TableError(path, f"is no spreadsheet, so it has no sheet '{sheet}'")
    if start.startswith(PARQUET):
        return read_parquet
    if start.startswith((FILE, STREAM)):
        return read_arrow
    if start.startswith(OLD_FEATHER):
        raise TableError(path, "is Feather of version 1; write it anew, with version 2")
    if path.suffix.lower() in BINARY_NAMES and not packed and not start.isascii():
        raise TableError(path, f"is damaged: it does not begin like a {path.suffix} file")
    return _text_reader(path)


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        missing = "is no regular file; copy it into one, or pipe it in and name - for standard input"
        raise TableError(path, missing if path.exists() else "does not exist")
    if not is_unicode(path):
        raise TableError(path, "has a name, or is in a folder with a name, that is not UTF-8; rename that first")


def _spreadsheet(path: Path, sheet: str | None) -> Read:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "mimetype" not in names and "[Content_Types].xml" not in names:
            raise TableError(path, f"is a ZIP archive; unpack it first (it holds {', '.join(names[:3])})")
    return partial(read_spreadsheet, sheet=sheet)


def _text_reader(path: Path) -> Read:
    with open_bytes(path) as file:
        start = file.read(START_BYTES).replace(b"\0", b"")  # UTF-16 is told apart later, by all of the file
    beginning = start.decode("utf-8", "ignore").lstrip("\ufeff")
    if WEB_PAGE.match(beginning):
        raise TableError(path, "is a web page or XML, not a table; was a login page saved in its place?")
    suffixes = {suffix.lower() for suffix in path.suffixes}
    return read_json if JSON_NAMES & suffixes or JSON_START.match(beginning) else read_delimited


@dataclass(frozen=True, slots=True)
class Column:
    """A whole column of a table, as Python values.

    Attributes:
        path, name: where it stands; of several files all of them (`tables.sources.name_of`).
        values: one a row; None stands for null.
        rows: the place of each value in its file.
        readings: what was found in each file.
    """

    path: Path
    name: str
    values: list[object]
    rows: list[Row]
    readings: list[Reading]

    def error(self, index: int, cause: str) -> TableError:
        """The error of the value at `index`, which counts from 0."""
        return TableError(self.path, cause, row=self.rows[index], column=self.name)

    @property
    def warnings(self) -> list[str]:
        """The sentences that a person should read before trusting the rows; of several files with their names."""
        several = len(self.readings) > 1
        return [
            f"{reading.path.name}: {warning}" if several else warning
            for reading in self.readings
            for warning in reading.warnings()
        ]

    @property
    def misread(self) -> Places:
        """The rows with fewer or more fields than the header."""
        places = Places()
        for reading in self.readings:
            found = reading.misread
            rows = found.first if len(self.readings) == 1 else [replace(row, path=reading.path) for row in found.first]
            places = Places(places.count + found.count, [*places.first, *rows][:SHOWN])
        return places


def read_columns(source: Path | Sequence[Path], columns: Sequence[str], *, sheet: str | None = None) -> list[Column]:
    """Reads the named columns of a table whole.

    Raises:
        TableError: as in `read_batches`.
    """
    path, readings = name_of(source), list[Reading]()
    rows: list[Row] = []
    values: list[list[object]] = [[] for _ in columns]
    for batch in read_batches(source, columns, sheet=sheet, readings=readings):
        rows += batch.rows
        for column, found in zip(columns, values, strict=True):
            found += batch.values(column)
    return [Column(path, column, found, rows, readings) for column, found in zip(columns, values, strict=True)]
