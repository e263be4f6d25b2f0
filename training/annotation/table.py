"""The rows to label, and the file with their labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from model.files import replacing
from tables.columns import choose_texts
from tables.labels import read_texts
from tables.reader import read_columns
from training.annotation.answers import Judged, Unlabelled
from training.errors import DataError, UsageError

CAUSE = "label_error"
"""Column that says why a text has no label."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one or several files.

    Attributes:
        texts: of each row; empty where it has none.
        numbers: of each row in its file, from 1.
        files: name of each row's file.
    """

    texts: list[str]
    numbers: list[int]
    files: list[str]

    @property
    def distinct(self) -> list[str]:
        """The texts that are not empty, each once."""
        return list(dict.fromkeys(filter(None, self.texts)))


def read_rows(files: Sequence[Path], *, text_column: str | None) -> Rows:
    """Reads the texts of files; numbers are written out, and a blank text is an empty one.

    `text_column` is as in `tables.columns.choose_texts`, for each file.

    Raises:
        TableError: a file or its column cannot be read, or (as `DataError`) holds no text.
    """
    rows = Rows([], [], [])
    for path in files:
        names = choose_texts(path, text_column)
        columns = read_columns(path, names)
        found, places = read_texts(*columns)
        if not found:
            raise DataError(path, "has no texts", column=", ".join(names))
        texts, read = dict(zip(places, found, strict=True)), columns[0].rows
        rows.texts.extend(texts.get(place, "") for place in range(len(read)))
        rows.numbers.extend(row.number for row in read)
        rows.files.extend((row.path or path).name for row in read)
    return rows


def check_names(labels: Sequence[str], *, text_column: str) -> None:
    """Refuses labels that are called as a column which the file has anyway.

    Raises:
        UsageError: one is.
    """
    own = ["label", CAUSE, "row", "file"]
    clash = [name for name in (text_column, *labels) if name in own] + [name for name in labels if name == text_column]
    if clash:
        raise UsageError(
            f"'{clash[0]}' is a column of the file that is written; give the label or text column another name"
        )


def write_labelled(
    output: Path,
    rows: Rows,
    *,
    text_column: str,
    labels: Sequence[str],
    judged: Callable[[str], Judged | None],
    causes: Mapping[str, Unlabelled],
) -> None:
    """Writes a Parquet file with a row for each row, whole or not at all.

    Its columns are the text, `label`, `label_error`, `file`, `row`, and, where the endpoint gave log-probabilities, one
    column of them for each label; so `train` reads it, and `distill --teacher` if it has these columns.

    Raises:
        OSError: it cannot be written.
    """
    found = [judged(text) if text else None for text in rows.texts]
    missing = Unlabelled("empty text")
    columns: dict[str, pa.Array] = {
        text_column: pa.array([text or None for text in rows.texts], pa.string()),
        "label": pa.array([one and one.label for one in found], pa.string()),
        CAUSE: pa.array(
            [None if one else (causes.get(text, missing)).cause for text, one in zip(rows.texts, found, strict=True)],
            pa.string(),
        ),
        "file": pa.array(rows.files, pa.string()),
        "row": pa.array(rows.numbers, pa.int64()),
    }
    soft = [one.log_probabilities if one else None for one in found]
    if any(soft):
        for place, name in enumerate(labels):
            columns[name] = pa.array([values and values[place] for values in soft], pa.float32())
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")
