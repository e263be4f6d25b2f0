import json
from pathlib import Path

import numpy as np
import pytest

from tables.errors import Row
from training.data.dataset import Dataset, encode_labels, label_names, read_dataset, soft_targets, without_unknown
from training.errors import DataError


def read(path: Path) -> Dataset:
    return read_dataset(path, text_column="text", label_column="label")


def jsonl(path: Path, labels: list[object], texts: list[object] | None = None) -> Path:
    texts = texts if texts is not None else [f"text {i}" for i in range(len(labels))]
    rows = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([10, 2, 2, -1], ("-1", "2", "10")),
        ([True, False], ("false", "true")),
        ([1.0, 0.0, 1], ("0", "1")),
        (["b", " a ", "b"], ("a", "b")),
        ([0.5, 1.5], ("0.5", "1.5")),
        (["2", "10", "x"], ("10", "2", "x")),
    ],
)
def test_labels_of_any_type_become_names_in_a_stable_order(
    tmp_path: Path, labels: list[object], names: tuple[str, ...]
) -> None:
    assert label_names(read(jsonl(tmp_path / "a.jsonl", labels))) == names
    assert label_names(read(jsonl(tmp_path / "b.jsonl", labels[::-1]))) == names


def test_targets_of_single_labels(tmp_path: Path) -> None:
    dataset = read(jsonl(tmp_path / "a.jsonl", ["b", "a", "b"]))
    assert dataset.task == "single_label"
    targets = encode_labels(dataset, ("a", "b"))
    assert targets.dtype == np.int64
    assert targets.tolist() == [1, 0, 1]


def test_lists_make_it_multi_label(tmp_path: Path) -> None:
    dataset = read(jsonl(tmp_path / "a.jsonl", [["b", "a", "b"], [], ["c"]]))
    assert (dataset.task, dataset.labels) == ("multi_label", [("b", "a"), (), ("c",)])
    targets = encode_labels(dataset, ("a", "b", "c"))
    assert targets.dtype == np.float32
    assert targets.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_every_file_is_named_that_rows_are_of(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"text,label\ngood {name},x\n", encoding="utf-8")
    assert read_dataset([tmp_path / "a.csv", tmp_path / "b.csv"]).file_names == "a.csv, b.csv"
    assert read_dataset(tmp_path / "?.csv").file_names == "?.csv"


def test_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no rows"):
        read(tmp_path / "a.csv")


def test_one_label_cannot_be_learned(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 distinct label"):
        label_names(read(jsonl(tmp_path / "a.jsonl", ["a", "a"])))
    assert label_names(read(jsonl(tmp_path / "b.jsonl", [["a"], []]))) == ("a",)


def test_an_unknown_label_is_named_with_its_row(tmp_path: Path) -> None:
    dataset = read(jsonl(tmp_path / "a.jsonl", ["a", "z"]))
    with pytest.raises(DataError, match="label 'z' is unknown; the training set has 'a', 'b'") as caught:
        encode_labels(dataset, ("a", "b"))
    assert caught.value.row == Row(2, 2)


def test_take_keeps_rows_and_texts_together(tmp_path: Path) -> None:
    part = read(jsonl(tmp_path / "a.jsonl", ["a", "b", "c"])).take([2, 0])
    assert (part.texts, part.labels) == (["text 2", "text 0"], [("c",), ("a",)])
    assert [row.number for row in part.rows] == [3, 1]


def test_rows_without_a_text_or_a_label_are_left_out_and_told(tmp_path: Path) -> None:
    dataset = read(jsonl(tmp_path / "a.jsonl", ["a", "nan", "b", "b", "a"], ["x", "y", " ", "z", None]))
    assert (dataset.texts, dataset.labels) == (["x", "z"], [("a",), ("b",)])
    assert [row.number for row in dataset.rows] == [1, 4]
    assert dataset.warnings == [
        "2 rows without a text left out (row 3 (line 3), row 5 (line 5))",
        "1 row without a label left out ('nan' 1; row 2 (line 2))",
    ]
    with pytest.raises(DataError, match="no row has both a 'text' and a 'label'"):
        read(jsonl(tmp_path / "b.jsonl", ["a", None], [None, "x"]))


def test_what_the_reader_left_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,a\ny, z,b\nw,b\nv\n", encoding="utf-8")
    assert read(tmp_path / "a.csv").warnings == [
        "1 row shorter than the header, the rest taken for empty (row 4 (line 5))",
        "1 row left out, which have more fields than the header (row 2 (line 3))",
        "1 row without a label left out (empty 1; row 4 (line 5))",
    ]


def test_labels_of_a_model_are_found_however_it_wrote_them(tmp_path: Path) -> None:
    dataset = read(jsonl(tmp_path / "a.jsonl", [True, False, True]))
    assert encode_labels(dataset, ("False", "True")).tolist() == [1, 0, 1]
    assert encode_labels(read(jsonl(tmp_path / "b.jsonl", [1, 0.0, "1.0"])), ("0.0", "1.0")).tolist() == [1, 0, 1]


def test_rows_of_unknown_labels_can_be_left_out(tmp_path: Path) -> None:
    single = read(jsonl(tmp_path / "a.jsonl", ["a", "z", "b", "z", "y"]))
    kept = without_unknown(single, ("a", "b"))
    assert kept.texts == ["text 0", "text 2"]
    assert kept.warnings == ["3 of 5 rows left out, whose labels are unknown: 'z' (2), 'y' (1)"]
    assert without_unknown(kept, ("a", "b")) == kept
    multi = without_unknown(read(jsonl(tmp_path / "b.jsonl", [["a"], ["b", "z"], []])), ("a", "b"))
    assert multi.labels == [("a",), ()]
    with pytest.raises(DataError, match="label 'z' is unknown"):
        without_unknown(single.take([1, 3]), ("a", "b"))


def test_probabilities_are_targets_beside_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text;no;yes\na;0,9;0,1\n;0,5;0,5\nc;0,4;0,6\nd;0;1\n", encoding="cp1252")
    dataset = read_dataset(path)
    assert (dataset.task, dataset.labels, dataset.label_column) == (
        "single_label",
        [("no",), ("yes",), ("yes",)],
        "no, yes",
    )
    assert encode_labels(dataset, ("yes", "no")).tolist() == [1, 0, 0]
    part = dataset.take([2, 0])
    found = soft_targets(part, ("yes", "no"))
    assert found is not None
    assert found.tolist() == [[1, 0], pytest.approx([0.1, 0.9])]
    assert soft_targets(read(jsonl(tmp_path / "a.jsonl", ["a", "b"])), ("a", "b")) is None


def test_weights_go_with_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,w\na,x,2\n,x,\nb,y,1\nc,,none\nd,y,0.5\n", encoding="utf-8")
    dataset = read_dataset(path, weight_column="w")  # a row that is left out needs no weight
    assert dataset.weights is not None
    assert dataset.weights.tolist() == [2, 1, 0.5]
    part = dataset.take([2, 0]).weights
    assert part is not None
    assert part.tolist() == [0.5, 2]


def test_texts_of_several_columns_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,body,label\nA,b,x\n,c,y\n,,y\n", encoding="utf-8")
    dataset = read_dataset(path, text_column="title,body")
    assert (dataset.texts, dataset.text_column) == (["A\nb", "c"], "title, body")
    assert dataset.warnings == [
        "1 row without a text left out (row 3 (line 4))",
        "texts are the columns title, body, joined by a line break; join them so in requests too",
    ]
