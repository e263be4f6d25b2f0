"""Files of sentence vectors: Parquet with a column of texts and `vector`, float16 numbers of one width.

The encoder that made a file stands in its metadata, so several files of one encoder are known to belong together.

Shape suffixes: N texts, D width of a vector.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.errors import DataError

Halves = npt.NDArray[np.float16]

VECTOR = "vector"
"""The column of the vectors."""

_ENCODER, _DIGEST = b"encoder", b"digest"


@dataclass(frozen=True, slots=True)
class VectorSource:
    """The encoder of a file of vectors.

    Attributes:
        name: of its folder.
        digest: changes when the vectors may change.
    """

    name: str
    digest: str


def file_metadata(source: VectorSource) -> dict[bytes, bytes]:
    """The metadata of a file of this encoder's vectors."""
    return {_ENCODER: source.name.encode(), _DIGEST: source.digest.encode()}


def write_vector_file(
    path: Path, texts: Sequence[str], vectors_ND: Halves, source: VectorSource, *, text_column: str
) -> None:
    """Writes a file, in place of one that may be there."""
    flat = pa.array(np.ascontiguousarray(vectors_ND, dtype=np.float16).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(flat, vectors_ND.shape[1])
    table = pa.table({text_column: pa.array(texts, pa.string()), VECTOR: vectors})
    pq.write_table(table.replace_schema_metadata(file_metadata(source)), path, compression="zstd", use_dictionary=False)


def join_vector_files(paths: Sequence[Path], output: Path) -> None:
    """Writes the rows of several files of one encoder into one, a file at a time."""
    with pq.ParquetWriter(output, pq.read_schema(paths[0]), compression="zstd", use_dictionary=False) as writer:
        for path in paths:
            writer.write_table(pq.read_table(path))


@dataclass(frozen=True, slots=True)
class VectorFile:
    """A file of vectors, opened.

    Attributes:
        path: of the file.
        source: its encoder; the file's own name where the metadata names none.
        width: D.
        rows: N.
        text_column: name of the column of texts.
    """

    path: Path
    source: VectorSource
    width: int
    rows: int
    text_column: str

    @classmethod
    def open(cls, path: Path, *, text_column: str) -> "VectorFile":
        """Reads the schema of a file.

        Raises:
            DataError: it is not there, is no Parquet file, or lacks a column.
        """
        try:
            schema, rows = pq.read_schema(path), pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException) as error:
            raise DataError(path, f"no file of vectors: {error}") from error
        if text_column not in schema.names:
            raise DataError(path, "has no such column", column=text_column)
        kind = schema.field(VECTOR).type if VECTOR in schema.names else None
        if not isinstance(kind, pa.FixedSizeListType) or not pa.types.is_floating(kind.value_type):
            raise DataError(path, "has no vectors of one width; the command `vectors` writes such files", column=VECTOR)
        metadata: Mapping[bytes, bytes] = schema.metadata or {}
        name = metadata.get(_ENCODER, path.name.encode()).decode()
        return cls(
            path, VectorSource(name, metadata.get(_DIGEST, name.encode()).decode()), kind.list_size, rows, text_column
        )

    def read(self) -> Iterator[tuple[list[str | None], Halves]]:
        """The texts of each batch, and their vectors [n, D]."""
        with pq.ParquetFile(self.path) as file:
            for records in file.iter_batches(16_384, columns=[self.text_column, VECTOR]):
                flat = records.column(VECTOR).flatten().to_numpy(zero_copy_only=False)
                yield records.column(self.text_column).to_pylist(), flat.reshape(-1, self.width).astype(np.float16)
