from pathlib import Path

import pytest

from tables.parquet import write_parquet
from training.errors import DataError
from training.teachers.label_file import LabelFile


def test_columns_of_numbers_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    logits = {"good": [1.0, 2.0, 3.0], "bad": [-1.0, -2.0, -3.0]}
    write_parquet(path, {"text": ["a", "b", "a"], "source": ["x", "y", "z"], "row": [1, 2, 3], **logits})
    file = LabelFile(path)
    assert file.labels == ("good", "bad")
    assert file.texts == ("a", "b")
    assert file.knows(["b", "c", "a"]).tolist() == [True, False, True]
    assert file.logits(["b", "a"]).tolist() == [[2, -2], [3, -3]]
    assert file.logits([]).shape == (0, 2)
    with pytest.raises(KeyError):
        file.logits(["c"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"words": ["a"], "good": [1.0], "bad": [1.0]}, "has no texts"),
        ({"text": ["a"], "good": [1.0], "bad": [1]}, "has no two columns of logits"),
        ({"text": ["a", "b"], "good": [1.0, 2.0], "bad": [1.0, float("inf")]}, "row 2 has a logit that is not finite"),
    ],
)
def test_files_that_cannot_teach_are_refused(columns: dict[str, list[object]], message: str, tmp_path: Path) -> None:
    write_parquet(tmp_path / "labels.parquet", columns)
    with pytest.raises(DataError, match=message):
        LabelFile(tmp_path / "labels.parquet")


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("text,good,bad\na,1,2\n")
    with pytest.raises(DataError, match="is no Parquet file"):
        LabelFile(tmp_path / "labels.csv")


def test_a_row_of_nulls_is_a_text_that_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    write_parquet(path, {"text": ["a", "b", "c"], "good": [1.0, None, 2.0], "bad": [0.0, None, 3.0]})
    file = LabelFile(path)
    assert file.texts == ("a", "c")
    assert file.logits(["c"]).tolist() == [[2, 3]]
    write_parquet(path, {"text": ["a", "b", "c"], "good": [1.0, None, 2.0], "bad": [0.0, None, None]})
    with pytest.raises(DataError, match="row 3 has a logit that is not finite"):
        LabelFile(path)
