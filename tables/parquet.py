"""Reads Parquet files in batches and writes them whole."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tables.batch import Batch, check_columns
from tables.errors import TableError


def read_parquet(path: Path, columns: Sequence[str], batch_rows: int) -> Iterator[Batch]:
    """Reads the columns as they are typed in the file.

    Raises:
        TableError: the file is damaged.
    """
    number = 1
    try:
        with pq.ParquetFile(path) as file:
            check_columns(path, columns, file.schema_arrow.names)
            for records in file.iter_batches(batch_rows, columns=list(columns)):
                yield Batch(records, pa.array(range(number, number + len(records)), pa.int64()), lines=None)
                number += len(records)
    except pa.ArrowException as error:
        raise TableError(path, f"not a valid Parquet file: {error}") from error


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Writes columns of equal length, compressed; makes the folder and replaces what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, compression="zstd")
