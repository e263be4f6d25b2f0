"""Reads a data file as record batches; the suffix of its name says which format it has.

The formats of text are UTF-8, with or without a byte-order mark, plain or gzipped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables.batch import BATCH_ROWS, Batch
from tables.delimited import read_csv, read_tsv
from tables.errors import Row, TableError
from tables.json_lines import read_json_lines
from tables.parquet import read_parquet

FORMATS: dict[str, Callable[[Path, Sequence[str], int], Iterator[Batch]]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
}
"""Reader by suffix."""


def read_batches(path: Path, columns: Sequence[str], *, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """Reads the named columns of a file, `batch_rows` rows at a time, so that no more than that need be in memory.

    Raises:
        TableError: the file is missing, of an unknown format, damaged or not UTF-8, or a column is not in it.
    """
    suffix = "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()
    read = FORMATS.get(suffix.removesuffix(".gz"))
    if read is None or suffix == ".parquet.gz":
        raise TableError(path, f"unknown file format; known are {', '.join(FORMATS)} (those of text also as .gz)")
    if not path.is_file():
        raise TableError(path, "is a folder" if path.is_dir() else "does not exist")
    try:
        yield from read(path, list(dict.fromkeys(columns)), batch_rows)
    except OSError as error:
        raise TableError(path, f"cannot be read: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Column:
    """A whole column of a file, as Python values.

    Attributes:
        path, name: where it stands.
        values: one a row; None stands for null.
        rows: the place of each value in the file.
    """

    path: Path
    name: str
    values: list[object]
    rows: list[Row]

    def error(self, index: int, cause: str) -> TableError:
        """The error of the value at `index`, which counts from 0."""
        return TableError(self.path, cause, row=self.rows[index], column=self.name)


def read_columns(path: Path, columns: Sequence[str]) -> list[Column]:
    """Reads the named columns of a file whole.

    Raises:
        TableError: as in `read_batches`.
    """
    rows: list[Row] = []
    values: list[list[object]] = [[] for _ in columns]
    for batch in read_batches(path, columns):
        rows += batch.rows
        for column, found in zip(columns, values, strict=True):
            found += batch.values(column)
    return [Column(path, column, found, rows) for column, found in zip(columns, values, strict=True)]
