"""Reads Parquet files in batches and writes them whole."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tables.batch import Batch, Columns, find_columns, numbered
from tables.class_labels import class_names, with_names
from tables.errors import TableError
from tables.reading import Reading


def read_parquet(path: Path, columns: Columns, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the columns as they are typed in the file, bytes as UTF-8.

    Raises:
        TableError: the file is damaged.
    """
    reading.form = "Parquet"
    try:
        with pq.ParquetFile(path) as file:
            present = file.schema_arrow.names
            places = find_columns(path, columns, present, reading)
            names = class_names(file.schema_arrow, places)
            for records in file.iter_batches(batch_rows, columns=[present[place] for place in places.values()]):
                found = {name: _column(records, present, place) for name, place in places.items()}
                yield numbered(with_names(found, names), reading)
    except pa.ArrowException as error:
        raise TableError(path, f"not a valid Parquet file: {error}") from error


def _column(records: pa.RecordBatch, present: Sequence[str], place: int) -> pa.Array:
    """The column at a place in the file; of several with its name the one that is meant."""
    name = present[place]
    return records.column(records.schema.get_all_field_indices(name)[present[:place].count(name)])


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Writes columns of equal length, compressed; makes the folder, and replaces what is there by the whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    pq.write_table(pa.table(dict(columns)), partial, compression="zstd")
    partial.replace(path)
