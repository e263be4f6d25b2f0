"""Reads Arrow files, Feather among them, and Arrow streams, as `datasets` saves them."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tables.batch import Batch, Columns, find_columns, numbered
from tables.class_labels import class_names, with_names
from tables.errors import TableError
from tables.reading import Reading

FILE = b"ARROW1"
STREAM = b"\xff\xff\xff\xff"
"""First bytes of the file format (which Feather is) and of the stream format.

Source: Apache Arrow, "Serialization and Interprocess Communication".
"""

OLD_FEATHER = b"FEA1"


def read_arrow(path: Path, columns: Columns, batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """Reads the columns as they are typed in the file, which is mapped into memory and not loaded.

    Raises:
        TableError: the file is damaged.
    """
    try:
        with pa.memory_map(str(path)) as source:
            is_file = source.read(len(FILE)) == FILE
            source.seek(0)
            reading.form = "Arrow" if is_file else "Arrow stream"
            reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
            present = reader.schema.names
            places = find_columns(path, columns, present, reading)
            names = class_names(reader.schema, places)
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
            for whole in batches:
                for start in range(0, len(whole), batch_rows):
                    records = whole.slice(start, batch_rows)
                    found = {name: records.column(place) for name, place in places.items()}
                    yield numbered(with_names(found, names), reading)
    except pa.ArrowException as error:
        raise TableError(path, f"not a valid Arrow file: {error}") from error
