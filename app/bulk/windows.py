"""Windows of rows: what one thread scores at a time. The same files always give the same windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables.batch import Batch
from tables.reader import read_batches
from tables.reading import BadRow, Reading

WINDOW_ROWS = 4096
"""Rows of a window, at most: enough for texts of one length to meet in a block of the engine."""

WINDOW_BYTES = 1 << 23
"""Bytes of the columns of a window of several rows, at most, so that long texts do not fill the memory."""


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive rows of one file.

    Attributes:
        batch: the rows that could be read; None at the end of the files, if there are bad rows after the last batch.
        path: the file.
        bad: rows among and before them that could not.
    """

    batch: Batch | None
    path: Path
    bad: Sequence[BadRow] = ()


def read_windows(
    files: Sequence[Path], columns: Sequence[str] | None, *, sheet: str | None, readings: list[Reading]
) -> Iterator[Window]:
    """Reads the columns of all files in their order.

    Args:
        files: see `tables.sources.find_parts`; one table.
        columns: their names; None is all.
        sheet: of spreadsheets; None is the first that has the columns.
        readings: gets what was found in each file.

    Raises:
        TableError: a file or a column cannot be read.
    """
    bad: list[BadRow] = []
    for whole in read_batches(
        files, columns, sheet=sheet, batch_rows=WINDOW_ROWS, readings=readings, refuse=bad.append
    ):
        for batch in _cut(whole):
            yield Window(batch, readings[-1].path, tuple(bad))
            bad.clear()
    if bad:
        yield Window(None, readings[-1].path, tuple(bad))


def _cut(batch: Batch) -> Iterator[Batch]:
    """Halves a batch until each part has at most `WINDOW_BYTES`, or one row."""
    rows = len(batch.numbers)
    if rows < 2 or batch.records.nbytes <= WINDOW_BYTES:
        yield batch
        return
    for start, end in ((0, rows // 2), (rows // 2, rows)):
        yield from _cut(batch.slice(start, end))
