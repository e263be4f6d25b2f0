"""Reads files of fields with separators between them: CSV, TSV and their relatives."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from tables.batch import STRING, Batch, Columns, batches_of, find_columns
from tables.dialect import SAMPLE_LINES, Dialect, find_dialect
from tables.errors import Row, TableError
from tables.headers import names_texts
from tables.names import COMMON, clean_name, same_name
from tables.reading import BadRow, Reading, count
from tables.records import Known, Lines, Record, read_records
from tables.text import BEGINNING_CHARS, open_text

MOST_LEFT_OUT = 0.1
"""A file with a larger share of rows that cannot be told apart, and more than one, is refused."""


def read_delimited(path: Path, columns: Columns, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the chosen columns of a file whose separator and quotation marks are found from its first lines.

    A file called `.txt` may have no table but a text on each line: it has one column, `text`.

    Raises:
        TableError: there is no header, a column is missing, or too many rows are too wide.
    """
    with open_text(path, reading) as file:
        beginning = list(islice(file, SAMPLE_LINES))
        whole = chain(beginning, file)
        prefer = "\t" if ".tsv" in path.suffixes or ".tab" in path.suffixes else ","
        wanted = COMMON if columns is None else columns
        dialect = find_dialect("".join(beginning)[:BEGINNING_CHARS] + "\n", wanted, prefer)
        if _are_texts(path, beginning, dialect, wanted):
            reading.form = "one text a line"
            places = find_columns(path, columns, ["text"], reading)
            yield from batches_of(_texts(whole, len(places), reading), list(places), STRING, batch_rows)
            return
        lines = Lines(whole)
        header = _header(read_records(lines, dialect, None), dialect, reading)
        reading.lines = reading.header_lines = lines.number
        if header is None:
            raise TableError(path, "is empty")
        sample = beginning[lines.number :]
        names = _with_row_names(header, dialect, sample, reading)
        reading.form = dialect.describe() if len(names) > 1 else "one column"
        places = find_columns(path, columns, names, reading)
        known = Known(dialect, len(names), sample)
        records = read_records(lines, dialect, known)
        rows = _chosen(records, dialect, len(names), list(places.values()), reading)
        yield from batches_of(rows, list(places), STRING, batch_rows)
        reading.lines = lines.number
    if reading.refuse is None:
        _check_left_out(path, len(names), reading)


def _are_texts(path: Path, beginning: Sequence[str], dialect: Dialect, wanted: Sequence[str]) -> bool:
    """True if each line of a file called `.txt` is a text: it has no name of a column, nor rows of one width."""
    filled = [dialect.split(line.rstrip("\r\n")) for line in beginning if clean_name(line)]
    if dialect.named or not filled or not path.name.lower().removesuffix(".gz").removesuffix(".zst").endswith(".txt"):
        return False
    header, *rows = filled
    if any(same_name(name, other) for name in header for other in wanted):
        return False
    if len(header) == 1:
        return not names_texts(header[0])
    return sum(len(fields) == len(header) for fields in rows) < (1 - MOST_LEFT_OUT) * len(rows)


def _texts(lines: Iterable[str], num_columns: int, reading: Reading) -> Iterator[tuple[Row, Sequence[str | None]]]:
    reading.lines = 0
    for line in lines:
        reading.lines += 1
        text = line.rstrip("\r\n")
        if not clean_name(text):
            reading.empty += 1
            continue
        reading.rows += 1
        yield Row(reading.rows, reading.lines), [text] * num_columns


def _header(records: Iterable[Record], dialect: Dialect, reading: Reading) -> list[str] | None:
    """The names in the first record that holds something, after a line `sep=…` if there is one."""
    skip = dialect.named
    for record in records:
        if not any(field.strip() for field in record.fields):
            continue
        if not skip:
            return record.fields
        skip = False
        reading.remarks.append("line 1 names the separator")
    return None


def _with_row_names(header: list[str], dialect: Dialect, sample: Sequence[str], reading: Reading) -> list[str]:
    """The header, with a name before it where rows begin with their numbers: R writes those without a header."""
    rows = [dialect.split(line.rstrip("\r\n")) for line in sample if line.strip()]
    wider = [row[0] for row in rows if len(row) == len(header) + 1]
    counted = any(wider == [str(start + place) for place in range(len(wider))] for start in (0, 1))
    if len(wider) < 3 or len(wider) * 10 < 9 * len(rows) or not counted:
        return header
    reading.remarks.append("rows have one field more than the header: the first is taken for names of rows")
    return ["", *header]


def _chosen(
    records: Iterable[Record], dialect: Dialect, width: int, places: Sequence[int], reading: Reading
) -> Iterator[tuple[Row, Sequence[str | None]]]:
    number = 0
    for record in records:
        fields = record.fields
        if not any(fields) or not any(map(clean_name, fields)):
            reading.empty += 1
            reading.inside += record.num_lines - 1
            continue
        number += 1
        row = Row(number, record.line)
        reading.inside += record.num_lines - 1
        if record.way != "strict":
            _note_way(record, row, dialect.quote, reading)
        if len(fields) < width:
            reading.short.add(row)
            yield row, [fields[place] if place < len(fields) else None for place in places]
        elif len(fields) > width and any(map(str.strip, fields[width:])):
            reading.left_out.add(row)
            if reading.refuse is not None:
                cause = f"has {len(fields)} fields, but the header has {width}"
                reading.refuse(BadRow(reading.path, row, cause, fields))
            continue
        else:
            if len(fields) > width:
                reading.trailing.add(row)
            yield row, [fields[place] for place in places]
        reading.rows += 1


def _note_way(record: Record, row: Row, quote: str, reading: Reading) -> None:
    if record.way == "escaped":
        reading.escaped.add(row)
    elif record.way == "loose":
        reading.loose.add(row)
    elif any(field.startswith(quote) for field in record.fields):
        reading.unclosed.add(row)


def _check_left_out(path: Path, width: int, reading: Reading) -> None:
    left_out, total = reading.left_out, reading.rows + reading.left_out.count
    if left_out.count > max(1, MOST_LEFT_OUT * total):
        cause = (
            f"{count(left_out.count, 'row')} of {total:,} have more fields than the header's {width}; "
            "a text that holds the separator must stand in quotation marks"
        )
        raise TableError(path, cause, row=left_out.first[0])
