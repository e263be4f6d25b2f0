"""Sentence vectors of the texts of files, written beside their columns: a stream, of which a batch is in memory.

The files that it writes can be read as `training.data.sentence_vectors` has it, with float32 numbers.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from model.files import replacing
from model.vectors import GivesVectors, Vectors, embed
from tables.batch import JSON, STRING, Batch
from tables.columns import choose_texts
from tables.labels import read_texts
from tables.reader import Column, read_batches
from tables.reading import Places
from tables.sources import name_of
from training.data.column_names import TEXT, written
from training.data.files import check_apart
from training.data.sentence_vectors import VECTOR, VectorSource, file_metadata
from training.errors import DataError, UsageError


@dataclass(slots=True)
class Embedded:
    """Progress, and at the end the outcome.

    Attributes:
        rows: written so far.
        without: rows without a text, whose vector is zeros, by file.
        seconds: since the beginning.
    """

    rows: int = 0
    without: dict[Path, Places] = field(default_factory=dict)
    seconds: float = 0.0


def embed_files(
    model: GivesVectors,
    source: VectorSource,
    files: Sequence[Path],
    output: Path,
    *,
    text_column: str | None,
    keep: Sequence[str] = (),
    sheet: str | None = None,
    report: Callable[[Embedded], None] = lambda _: None,
) -> Embedded:
    """Writes a Parquet file with each row's text, the columns to keep, and `vector`: float32 numbers of length 1.

    All rows are written, in their order. One without a text has a vector of zeros, and is counted in the outcome.

    Args:
        model: gives the vectors.
        source: stands in the file's metadata.
        files: see `tables.sources.find_parts`; one table after another.
        output: written whole or not at all.
        text_column: of all files; None finds it in each. That of `output` is called as `column_names.written` says.
        keep: further columns to write along.
        sheet: of spreadsheets; None is the first that has the columns.
        report: called after each batch.

    Raises:
        UsageError: a column to keep is called as one that is written, or `output` is one of the files.
        TableError: a file or a column cannot be read, or (as `DataError`) does not fit the file before it.
    """
    text_name = written(text_column, TEXT)
    if text_name in keep and text_column not in (None, text_name):
        raise UsageError(f"'{text_name}' is what the joined texts are written as; keep another column")
    kept = [name for name in dict.fromkeys(keep) if name != text_name]
    columns = [text_name, *kept]
    if VECTOR in columns:
        raise UsageError(f"'{VECTOR}' is the column that is written; give the other column of this name another one")
    check_apart(output, files)
    done, began = Embedded(), time.perf_counter()
    # Beside other work, or where a container may use fewer processors than it sees, OpenBLAS's threads wait for each
    # other, and a map takes many times as long as on one.
    with threadpool_limits(1, "blas"), replacing(output) as partial, _Output(partial, columns, source) as table:
        for path, texts, arrays in _batches(files, text_column, kept, sheet, done):
            table.write(path, arrays, embed(model, texts))
            done.rows += len(texts)
            done.seconds = time.perf_counter() - began
            report(done)
        if not done.rows:
            raise DataError(files[0], "has no rows", column=text_name)
    return done


class _Output:
    """The file that is written, with the types of the first batch."""

    def __init__(self, path: Path, columns: Sequence[str], source: VectorSource) -> None:
        self._path, self._columns, self._source = path, columns, source
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, path: Path, arrays: Sequence[pa.Array], vectors_ND: Vectors) -> None:
        """Writes the columns of a batch, which came from `path`, and their vectors."""
        flat = pa.array(np.ascontiguousarray(vectors_ND).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, vectors_ND.shape[1])
        if self._writer is None:
            table = pa.table([*arrays, vectors], names=[*self._columns, VECTOR])
            schema = table.schema.with_metadata(file_metadata(self._source))
            self._writer = pq.ParquetWriter(self._path, schema, compression="zstd", use_dictionary=self._columns)
        schema = self._writer.schema
        fitted = []
        for array, name in zip(arrays, self._columns, strict=True):
            wanted = schema.field(name).type
            try:
                fitted.append(array.cast(wanted))
            except pa.ArrowException:
                cause = f"holds {array.type}, but {wanted} in the file before; keep it out or convert it"
                raise DataError(path, cause, column=name) from None
        self._writer.write_table(pa.table([*fitted, vectors], schema=schema))


def _batches(
    files: Sequence[Path], text_column: str | None, kept: Sequence[str], sheet: str | None, done: Embedded
) -> Iterator[tuple[Path, list[str], list[pa.Array]]]:
    """The texts of each batch, empty where there is none, and the columns to write, that of the texts first."""
    for path in files:
        names = choose_texts(path, text_column, sheet=sheet)
        for batch in read_batches(path, [*names, *kept], sheet=sheet):
            texts = _texts(path, batch, names, done)
            arrays = [pa.array(texts, STRING), *(_kept(batch, name) for name in kept)]
            yield path, [text or "" for text in texts], arrays


def _texts(path: Path, batch: Batch, names: Sequence[str], done: Embedded) -> list[str | None]:
    """The text of each row, None where there is none; those rows are noted."""
    rows = batch.rows
    columns = [Column(name_of(path), name, batch.values(name), rows, []) for name in names]
    found = dict(zip(*reversed(read_texts(*columns)), strict=True))
    for place, row in enumerate(rows):
        if place not in found:
            done.without.setdefault(columns[0].path, Places()).add(row)
    return [found.get(place) for place in range(len(rows))]


def _kept(batch: Batch, column: str) -> pa.Array:
    """A column as it is written: the values of JSON as strings, JSON again where they are none."""
    array = batch.records.column(column)
    if array.type != JSON:
        return array
    values = batch.values(column)
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pa.array(texts, STRING)
