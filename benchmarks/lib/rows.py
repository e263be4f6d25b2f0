"""Tables of any size from the texts of a real one."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.lib.texts import read_texts

GROUP_ROWS = 100_000


def write_rows(source: Path, column: str, num_rows: int, path: Path, *, seed: int = 0) -> list[str]:
    """Writes Parquet with the columns `id` and `text`: the texts of a file, drawn with replacement.

    Returns:
        The texts of the file that are drawn from; blank ones are left out.
    """
    texts = [text for text in read_texts(source, column=column) if text.strip()]
    draw = random.Random(seed)
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, num_rows, GROUP_ROWS):
            ids = range(start, min(start + GROUP_ROWS, num_rows))
            writer.write_table(pa.table([pa.array(ids), draw.choices(texts, k=len(ids))], schema=schema))
    return texts
