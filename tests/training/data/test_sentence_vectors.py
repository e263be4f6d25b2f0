from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tables.parquet import write_parquet
from training.data.sentence_vectors import VectorFile, VectorSource, join_vector_files, write_vector_file
from training.errors import DataError

SOURCE = VectorSource("mpnet", "abc")
VECTORS = np.array([[0.5, -1.0, 0.25], [2.0, 0.0, 1.0]], dtype=np.float16)


def test_texts_and_vectors_come_back(tmp_path: Path) -> None:
    write_vector_file(tmp_path / "v.parquet", ["a film", "好"], VECTORS, SOURCE, text_column="review")
    file = VectorFile.open(tmp_path / "v.parquet", text_column="review")
    assert (file.source, file.width, file.rows) == (SOURCE, 3, 2)
    [(texts, vectors)] = file.read()
    assert texts == ["a film", "好"]
    assert vectors.dtype == np.float16
    np.testing.assert_array_equal(vectors, VECTORS)


def test_files_are_joined_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    for path, text, vector in zip(paths, "ab", VECTORS, strict=True):
        write_vector_file(path, [text], vector[None], SOURCE, text_column="text")
    join_vector_files(paths, tmp_path / "all.parquet")
    file = VectorFile.open(tmp_path / "all.parquet", text_column="text")
    assert file.source == SOURCE
    assert [text for texts, _ in file.read() for text in texts] == ["a", "b"]
    np.testing.assert_array_equal(np.concatenate([vectors for _, vectors in file.read()]), VECTORS)


def test_a_file_of_another_program_is_its_own_source(tmp_path: Path) -> None:
    lists = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0], pa.float32()), 2)
    pq.write_table(pa.table({"text": ["a"], "vector": lists}), tmp_path / "foreign.parquet")
    file = VectorFile.open(tmp_path / "foreign.parquet", text_column="text")
    assert (file.source.name, file.width) == ("foreign.parquet", 2)
    assert [vectors.tolist() for _, vectors in file.read()] == [[[1.0, 2.0]]]


def test_what_is_no_file_of_vectors_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "texts.parquet", {"text": ["a"], "label": ["b"]})
    write_parquet(tmp_path / "lists.parquet", {"text": ["a"], "vector": [[1.0, 2.0]]})
    (tmp_path / "nonsense.parquet").write_bytes(b"nonsense")
    for name, column, message in (
        ("none", "text", "no file of vectors"),
        ("nonsense", "text", "no file of vectors"),
        ("texts", "text", "no vectors of one width"),
        ("lists", "text", "no vectors of one width"),
        ("lists", "review", "has no such column"),
    ):
        with pytest.raises(DataError, match=message):
            VectorFile.open(tmp_path / f"{name}.parquet", text_column=column)
