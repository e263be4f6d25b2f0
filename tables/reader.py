"""Reads a data file as record batches; its first bytes say which format it has, whatever its name."""

import logging
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables.batch import BATCH_ROWS, Batch
from tables.delimited import read_delimited
from tables.errors import Row, TableError
from tables.json_objects import read_json
from tables.parquet import read_parquet
from tables.reading import Reading
from tables.spreadsheet import read_spreadsheet
from tables.text import GZIP, open_bytes

LOGGER = logging.getLogger("tables")
"""Gets one line for each file that has been read to its end: what was found in it, and what was done about it."""

PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
JSON_NAMES = {".json", ".jsonl", ".ndjson"}
START_BYTES = 4096
WEB_PAGE = re.compile(r"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
JSON_START = re.compile(r"\s*(\[\s*)?\{\s*[\"}]|\s*\[\s*\]\s*$")

Read = Callable[[Path, Sequence[str], int, Reading], Iterator[Batch]]


def read_batches(
    path: Path, columns: Sequence[str], *, batch_rows: int = BATCH_ROWS, reading: Reading | None = None
) -> Iterator[Batch]:
    """Reads the named columns of a file, `batch_rows` rows at a time.

    Args:
        path: the file.
        columns: their names; one that is there but for case, spaces or invisible characters is found.
        batch_rows: rows of a batch, at most.
        reading: is filled with what was found; `LOGGER` gets it as a line after the last batch.

    Raises:
        TableError: the file is missing, of an unknown format or damaged, or a column is not in it.
    """
    reading = Reading(path) if reading is None else reading
    if not path.is_file():
        raise TableError(path, "is a folder" if path.is_dir() else "does not exist")
    try:
        read = _reader(path, reading)
        packed = reading.form
        yield from read(path, list(dict.fromkeys(columns)), batch_rows, reading)
    except OSError as error:
        raise TableError(path, f"cannot be read: {error.strerror or error}") from error
    reading.form = packed + reading.form
    LOGGER.info(reading.describe())


def _reader(path: Path, reading: Reading) -> Read:
    """The reader of the format that the first bytes tell."""
    with open_bytes(path) as file:
        start = file.peek(8)[:8]
    with path.open("rb") as plain:
        packed = plain.read(2) == GZIP
    reading.form = "gzip, " if packed else ""
    other = start.startswith((PARQUET, ZIP, OLD_EXCEL))
    if other and packed:
        raise TableError(path, "is gzip around a format that is packed already; unpack it first (gunzip)")
    if start.startswith(PARQUET):
        return read_parquet
    if other:
        return _spreadsheet(path)
    if path.suffix.lower() in (".gz", ".parquet", ".xlsx", ".xls", ".ods") and not packed and not start.isascii():
        raise TableError(path, f"is damaged: it does not begin like a {path.suffix} file")
    return _text_reader(path)


def _spreadsheet(path: Path) -> Read:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "mimetype" not in names and "[Content_Types].xml" not in names:
            raise TableError(path, f"is a ZIP archive; unpack it first (it holds {', '.join(names[:3])})")
    return read_spreadsheet


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
    """A whole column of a file, as Python values.

    Attributes:
        path, name: where it stands.
        values: one a row; None stands for null.
        rows: the place of each value in the file.
        reading: what was found in the file.
    """

    path: Path
    name: str
    values: list[object]
    rows: list[Row]
    reading: Reading

    def error(self, index: int, cause: str) -> TableError:
        """The error of the value at `index`, which counts from 0."""
        return TableError(self.path, cause, row=self.rows[index], column=self.name)


def read_columns(path: Path, columns: Sequence[str]) -> list[Column]:
    """Reads the named columns of a file whole.

    Raises:
        TableError: as in `read_batches`.
    """
    reading = Reading(path)
    rows: list[Row] = []
    values: list[list[object]] = [[] for _ in columns]
    for batch in read_batches(path, columns, reading=reading):
        rows += batch.rows
        for column, found in zip(columns, values, strict=True):
            found += batch.values(column)
    return [Column(path, column, found, rows, reading) for column, found in zip(columns, values, strict=True)]
