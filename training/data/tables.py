"""Columns of a data file, whatever its format: CSV, TSV, JSON lines or Parquet, the text ones also gzipped.

Text is UTF-8, with or without a byte-order mark. A row's number counts from 1 and leaves the header out.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet

from training.errors import DataError, Row


@dataclass(frozen=True, slots=True)
class Table:
    """Chosen columns of one file.

    Attributes:
        path: the file.
        columns: values by column name, all of the same length; None stands for null.
        lines: the line where each row ends; None where the format has no lines.
    """

    path: Path
    columns: dict[str, list[object]]
    lines: list[int] | None

    def row(self, index: int) -> Row:
        """The place in the file of the row at `index`, which counts from 0."""
        return Row(index + 1, None if self.lines is None else self.lines[index])


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """Reads `columns` of a file; its suffix decides the format.

    Raises:
        DataError: the file is missing, of an unknown format, damaged or not UTF-8, or a column is not in it.
    """
    suffix = "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()
    reader = READERS.get(suffix.removesuffix(".gz"))
    if reader is None or suffix == ".parquet.gz":
        raise DataError(path, f"unknown kind of file; known are {', '.join(READERS)} (those of text also as .gz)")
    if not path.is_file():
        raise DataError(path, "is a folder" if path.is_dir() else "does not exist")
    try:
        return reader(path, columns)
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror or error}") from error


def _read_csv(path: Path, columns: Sequence[str]) -> Table:
    try:
        return _from_rows(path, _delimited_rows(_read_text(path), ",", csv.QUOTE_MINIMAL), columns)
    except csv.Error as error:
        raise DataError(path, f"not valid CSV: {error}; is a quotation mark not closed or not doubled?") from error


def _read_tsv(path: Path, columns: Sequence[str]) -> Table:
    """Quotation marks count as in CSV where the whole file is well formed so, and as plain characters otherwise."""
    text = _read_text(path)
    try:
        return _from_rows(path, _delimited_rows(text, "\t", csv.QUOTE_MINIMAL), columns)
    except (csv.Error, DataError):
        return _from_rows(path, _delimited_rows(text, "\t", csv.QUOTE_NONE), columns)


def _delimited_rows(text: str, delimiter: str, quoting: int) -> Iterator[tuple[int, list[str]]]:
    """Pairs of line number and fields, empty lines left out.

    Raises:
        csv.Error: a quotation mark is neither closed nor doubled.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
    return ((reader.line_num, fields) for fields in reader if fields)


def _from_rows(path: Path, rows: Iterator[tuple[int, list[str]]], columns: Sequence[str]) -> Table:
    _, header = next(rows, (0, []))
    if not header:
        raise DataError(path, "is empty")
    _check_columns(path, columns, header)
    for column in columns:
        if header.count(column) > 1:
            raise DataError(path, "two columns have this name", column=column)
    places = [header.index(column) for column in columns]
    values: list[list[object]] = [[] for _ in columns]
    lines: list[int] = []
    for line, fields in rows:
        if len(fields) != len(header):
            cause = f"{len(fields)} fields where the header has {len(header)}"
            raise DataError(path, cause, row=Row(len(lines) + 1, line))
        lines.append(line)
        for place, column_values in zip(places, values, strict=True):
            column_values.append(fields[place])
    return Table(path, dict(zip(columns, values, strict=True)), lines)


def _read_jsonl(path: Path, columns: Sequence[str]) -> Table:
    values: dict[str, list[object]] = {column: [] for column in columns}
    lines: list[int] = []
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    for line, text in enumerate(_read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        row = Row(len(lines) + 1, line)
        record = _parse_object(path, row, text)
        if not lines:
            _check_columns(path, columns, list(record))
        lines.append(line)
        for column in columns:
            values[column].append(record.get(column))
    if not lines:
        raise DataError(path, "is empty")
    return Table(path, values, lines)


def _parse_object(path: Path, row: Row, text: str) -> dict[str, object]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"not valid JSON: {error}", row=row) from error
    if not isinstance(record, dict):
        raise DataError(path, f"{type(record).__name__} where an object is due; one object a line", row=row)
    return record


def _read_parquet(path: Path, columns: Sequence[str]) -> Table:
    try:
        file = pyarrow.parquet.ParquetFile(path)
        _check_columns(path, columns, file.schema_arrow.names)
        table = file.read(columns=list(columns))
    except pyarrow.ArrowException as error:
        raise DataError(path, f"not a sound Parquet file: {error}") from error
    return Table(path, {column: table.column(column).to_pylist() for column in columns}, lines=None)


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(path, f"not a sound gzip file: {error}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(path, "is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        cause = f"line {line} is not UTF-8 (byte 0x{content[error.start]:02x}); save the file as UTF-8 (iconv -t UTF-8)"
        raise DataError(path, cause) from error


def _check_columns(path: Path, wanted: Sequence[str], present: Sequence[str]) -> None:
    for column in wanted:
        if column not in present:
            raise DataError(path, f"no column '{column}'; the file has {', '.join(map(repr, present))}")


READERS: dict[str, Callable[[Path, Sequence[str]], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
"""Reader by suffix."""
