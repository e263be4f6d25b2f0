"""Reads Parquet files in batches and writes them whole."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tables.batch import Batch, find_columns
from tables.errors import TableError
from tables.reading import Reading


def read_parquet(path: Path, columns: Sequence[str], batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the columns as they are typed in the file, bytes as UTF-8.

    Raises:
        TableError: the file is damaged.
    """
    reading.form = "Parquet"
    try:
        with pq.ParquetFile(path) as file:
            present = file.schema_arrow.names
            chosen = [present[place] for place in find_columns(path, columns, present, reading)]
            for records in file.iter_batches(batch_rows, columns=chosen):
                numbers = pa.array(range(reading.rows + 1, reading.rows + len(records) + 1), pa.int64())
                reading.rows += len(records)
                arrays = [_text(records.column(name)) for name in chosen]
                yield Batch(pa.RecordBatch.from_arrays(arrays, names=list(columns)), numbers, lines=None)
    except pa.ArrowException as error:
        raise TableError(path, f"not a valid Parquet file: {error}") from error


def _text(array: pa.Array) -> pa.Array:
    """An array whose bytes, as older programs write strings, are strings."""
    binary = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    return array.cast(pa.large_string()) if binary else array


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Writes columns of equal length, compressed; makes the folder and replaces what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, compression="zstd")
