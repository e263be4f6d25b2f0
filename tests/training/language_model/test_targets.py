from pathlib import Path

import numpy as np
import pytest

from training.data.sentence_vectors import VectorSource, write_vector_file
from training.errors import DataError, UsageError
from training.language_model.config import PretrainConfig, VectorsConfig
from training.language_model.targets import Targets, read_targets
from training.provenance import file_digest


def write(path: Path, vectors: dict[str, list[float]], source: str) -> Path:
    matrix = np.array(list(vectors.values()), dtype=np.float16)
    write_vector_file(path, list(vectors), matrix, VectorSource(source, source), text_column="text")
    return path


def config(*paths: Path) -> PretrainConfig:
    return PretrainConfig(vectors=VectorsConfig(files=tuple(map(str, paths))))


def of(targets: Targets, place: int) -> list[float]:
    return targets.vectors_ND[targets.rows[place]].tolist()  # type: ignore[no-any-return]


def test_files_of_one_encoder_belong_together(tmp_path: Path) -> None:
    first = write(tmp_path / "1.parquet", {"a": [1, 2], "b": [3, 4], "other": [100, 100]}, "mpnet")
    more = write(tmp_path / "2.parquet", {"b": [9, 9], "c": [5, 6]}, "mpnet")
    wide = write(tmp_path / "3.parquet", {"c": [1, 0, 1]}, "e5")
    (mpnet, e5), files = read_targets(config(first, wide, more), ["c", "a", "none", "b"])
    assert (mpnet.encoder, mpnet.width, mpnet.count) == ("mpnet", 2, 3)
    assert (e5.encoder, e5.width, e5.count) == ("e5", 3, 1)
    assert [of(mpnet, place) for place in (0, 1, 3)] == [[5, 6], [1, 2], [3, 4]]
    assert mpnet.mean_D.tolist() == [3, 4]
    assert mpnet.rows[2] == -1
    assert e5.rows.tolist() == [0, -1, -1, -1]
    assert list(files) == ["vectors 1", "vectors 2", "vectors 3"]
    assert (files["vectors 2"].file, files["vectors 2"].rows) == ("3.parquet", 1)
    assert files["vectors 2"].sha256 == file_digest(wide)


def test_a_batch_has_the_vectors_that_there_are_less_their_mean() -> None:
    vectors = np.array([[1, 1], [3, 5]], dtype=np.float16)
    targets = Targets("e5", vectors, np.array([2, 3], dtype=np.float32), np.array([1, -1, 0]))
    known, centred = targets.batch(np.array([1, 2, 0]))
    assert known.tolist() == [1, 2]
    assert centred.tolist() == [[-1, -2], [1, 2]]
    moved = targets.of(np.array([-1, 0, 0, 1]))
    assert moved.rows.tolist() == [-1, 1, 1, -1]


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "1.parquet", {"a": [1, 2]}, "mpnet")
    two = write(tmp_path / "2.parquet", {"a": [1, 2, 3]}, "mpnet")
    with pytest.raises(DataError, match=r"vectors of 3 numbers, but .*1.parquet of 2"):
        read_targets(config(one, two), ["a"])
    with pytest.raises(UsageError, match="none of its texts"):
        read_targets(config(one), ["b"])
    with pytest.raises(DataError, match="no file of vectors"):
        read_targets(config(tmp_path / "none.parquet"), ["b"])
    assert read_targets(config(), ["a"]) == ([], {})
