"""Number of rows of a table before it is read, as far as that is cheap to know."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tables.sources import Part
from tables.text import compression

PARQUET = b"PAR1"
BLOCK_BYTES = 1 << 24


def count_rows(parts: Sequence[Part]) -> int | None:
    """The rows of all parts: of Parquet as its files say, of plain text the number of line feeds, which is about that.

    None where a part is of another format, compressed, remote, or cannot be opened.
    """
    totals = [_rows(part) for part in parts]
    return sum(total for total in totals if total is not None) if None not in totals else None


def _rows(part: Part) -> int | None:
    if not part.path.is_file():
        return None
    with part.path.open("rb") as file:
        start = file.read(4)
        if start == PARQUET:
            try:
                return int(pq.read_metadata(part.path).num_rows)
            except pa.ArrowException:
                return None
        if compression(start) or not (start.isascii() or start.startswith(b"\xef\xbb\xbf")):
            return None
        lines = start.count(b"\n")
        while block := file.read(BLOCK_BYTES):
            lines += block.count(b"\n")
        return lines
