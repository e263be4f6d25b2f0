from pathlib import Path

import pyarrow.parquet as pq
import pytest

from training.annotation.answers import Judged, Unlabelled
from training.annotation.table import Rows, check_names, read_rows, write_labelled
from training.data.dataset import read_dataset
from training.errors import DataError, UsageError
from training.teachers.label_file import LabelFile


def test_rows_keep_their_numbers_and_blank_texts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,one\n2,\n3,two\n4,one\n")
    (tmp_path / "b.jsonl").write_text('{"text": 7}\n{"text": null}\n')
    rows = read_rows([tmp_path / "a.csv", tmp_path / "b.jsonl"], text_column="text")
    assert rows == Rows(["one", "", "two", "one", "7", ""], [1, 2, 3, 4, 1, 2], ["a.csv"] * 4 + ["b.jsonl"] * 2)
    assert rows.distinct == ["one", "two", "7"]
    (tmp_path / "d.csv").write_text("id,title,body\n1,Late,my parcel is late\n2,,where is it now\n")
    assert read_rows([tmp_path / "d.csv"], text_column="title,body").texts[0] == "Late\nmy parcel is late"
    assert read_rows([tmp_path / "a.csv", tmp_path / "d.csv"], text_column=None).texts[-1] == "where is it now"
    (tmp_path / "c.csv").write_text("id,text\n1,\n")
    with pytest.raises(DataError, match="has no texts"):
        read_rows([tmp_path / "c.csv"], text_column="text")


def test_train_and_distill_read_what_is_written(tmp_path: Path) -> None:
    rows = Rows(["one", "", "two", "three", "one"], [1, 2, 3, 4, 5], ["f"] * 5)
    found = {"one": Judged("good", (-0.1, -2.0)), "two": Judged("bad")}
    path = tmp_path / "out" / "labels.parquet"
    causes = {"three": Unlabelled("cut answer")}
    write_labelled(path, rows, text_column="t", labels=("good", "bad"), judged=found.get, causes=causes)
    table = pq.read_table(path).to_pydict()
    assert table["label"] == ["good", None, "bad", None, "good"]
    assert table["label_error"] == [None, "empty text", None, "cut answer", None]
    assert table["row"] == [1, 2, 3, 4, 5]
    dataset = read_dataset(path, text_column="t", label_column="label")
    assert dataset.texts == ["one", "two", "one"]
    teacher = LabelFile(path, text_column="t")
    assert teacher.labels == ("good", "bad")
    assert teacher.texts == ("one",), "a text without log-probabilities is unknown to it"
    assert teacher.logits(["one"]).tolist() == [[pytest.approx(-0.1), -2.0]]


def test_hard_labels_have_no_columns_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    rows = Rows(["one", "two"], [1, 2], ["f"] * 2)
    found = {"one": Judged("good"), "two": Judged("bad")}
    write_labelled(path, rows, text_column="text", labels=("good", "bad"), judged=found.get, causes={})
    assert pq.read_table(path).column_names == ["text", "label", "label_error", "file", "row"]


@pytest.mark.parametrize(("labels", "column"), [(("row", "b"), "text"), (("text", "b"), "text"), (("a", "b"), "label")])
def test_names_of_columns_cannot_be_labels(labels: tuple[str, ...], column: str) -> None:
    with pytest.raises(UsageError, match="is a column of the file that is written"):
        check_names(labels, text_column=column)


def test_other_labels_are_taken() -> None:
    check_names(("a", "b"), text_column="text")
