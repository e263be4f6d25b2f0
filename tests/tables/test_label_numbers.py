import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tables.errors import TableError
from tables.labels import LabelRules, Labels, read_label_columns, read_labels
from tables.parquet import write_parquet
from tables.reader import read_columns
from tests.tables.samples import write


def of_columns(folder: Path, header: str, *rows: str, **rules: object) -> Labels:
    lines = "".join(f"{row}\r\n" for row in (header, *rows))
    path = write(folder / "a.csv", ("\ufeff" + lines).encode())
    return read_label_columns(read_columns(path, header.split(";")), LabelRules(**rules))  # type: ignore[arg-type]


def of_maps(folder: Path, *values: object) -> Labels:
    path = write(folder / "a.jsonl", "".join(json.dumps({"label": value}) + "\n" for value in values))
    return read_labels(read_columns(path, ["label"])[0])


def test_one_mark_in_each_row_is_one_label_a_text(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b;c", "1;0;0", "no;YES;no", "FALSE;false;true", ";;x")
    assert (found.names, found.multi_label, found.shares) == ([("a",), ("b",), ("c",), ("c",)], False, None)
    assert found.warnings == [
        "labels are numbers for each of 3 (0 and 1): one label a text",
        "2 empty cells among the numbers of labels, read as 0",
    ]


def test_two_marks_in_a_row_are_several_labels_a_text(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b", "1;0", "1;1", "0;0", "0.0;1.0")
    assert (found.names, found.multi_label) == ([("a",), ("a", "b"), (), ("b",)], True)
    assert found.warnings == [
        "labels are numbers for each of 2 (0 and 1): several labels a text (1 of 4 rows have more than one)"
    ]
    assert of_columns(tmp_path, "a;b", "1;0", "0;1", multi_label=True).multi_label


def test_a_row_without_any_mark_does_not_change_the_task(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b", *["1;0", "0;1"] * 10, "0;0", "nan;n/a")
    assert (len(found.names), found.multi_label, found.kept[-1]) == (20, False, 19)
    assert found.warnings[1:] == [
        "1 row left out without a label (row 22 (line 23))",
        "1 row left out in which no label is true (row 21 (line 22))",
    ]


def test_probabilities_keep_their_values_and_name_the_most_probable(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b;c", "0,7;0,2;0,1", "0.25;0,75;0", "0,5;0,48;0,03", "0,5;0,5;0", "0;0,34;0,66")
    assert (found.names, found.multi_label) == ([("a",), ("b",), ("a",), ("a",), ("c",)], False)
    assert found.warnings == [
        "labels are numbers for each of 3 (probabilities): one label a text",
        "1 row with equally probable labels; the first counts as theirs in scores",
    ]
    assert found.shares is not None
    assert found.shares.names == ("a", "b", "c")
    assert found.shares.values_NC[1].tolist() == [0.25, 0.75, 0]
    assert found.shares.values_NC.sum(axis=1) == pytest.approx(np.ones(5))


def test_probabilities_that_do_not_sum_to_one_are_a_decision_each(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b", "0,9;0,8", "0,1;0,2", "0,5;0,1")
    assert (found.names, found.multi_label) == ([("a", "b"), (), ("a",)], True)
    assert found.shares is not None
    assert found.shares.values_NC.ravel().tolist() == pytest.approx([0.9, 0.8, 0.1, 0.2, 0.5, 0.1])


def test_one_odd_row_of_probabilities_is_left_out(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b", *["0.4;0.6"] * 19, "0.2;0.2", "0.9;0.1")
    assert (len(found.names), found.multi_label) == (20, False)
    assert found.warnings[1] == (
        "1 row left out whose probabilities do not sum to 1 as those of the others (row 20 (line 21))"
    )


def test_a_label_that_is_no_row_s_own_is_left_out(tmp_path: Path) -> None:
    found = of_columns(tmp_path, "a;b;c", "0.6;0.2;0.2", "0.1;0.6;0.3")
    assert found.shares is not None
    assert found.shares.names == ("a", "b")
    assert found.shares.values_NC.tolist() == [pytest.approx([0.75, 0.25]), pytest.approx([1 / 7, 6 / 7])]
    assert found.warnings[1] == "1 label left out that no row has as its own: 'c'"


@pytest.mark.parametrize(("cell", "shown"), [("3", "'3'"), ("-1", "'-1'"), ("maybe", "'maybe'"), ("1,5", "'1,5'")])
def test_a_cell_that_is_no_such_number_is_named_by_row_and_column(tmp_path: Path, cell: str, shown: str) -> None:
    with pytest.raises(TableError) as caught:
        of_columns(tmp_path, "a;b", "1;0", f"0;{cell}")
    cause = f"expected 0, 1 or a probability between them and found {shown}"
    assert str(caught.value) == f"{tmp_path / 'a.csv'}, row 2 (line 3), column 'b': {cause}"


MAPS: list[dict[str, float]] = [{"a": 0.9, "b": 0.1}, {"b": 1}, {"b": 0.6, "a": 0.4}]


def test_maps_from_label_to_probability_in_every_form(tmp_path: Path) -> None:
    scores = [[{"label": name, "score": score} for name, score in each.items()] for each in MAPS]
    written = [[json.dumps(each), repr(each)][place % 2] for place, each in enumerate(MAPS)]
    for values in (MAPS, scores, written):
        found = of_maps(tmp_path, *values)
        assert (found.names, found.multi_label) == ([("a",), ("b",), ("b",)], False)
        assert found.shares is not None
        assert found.shares.values_NC.ravel().tolist() == pytest.approx([0.9, 0.1, 0, 1, 0.4, 0.6])


def test_structs_and_maps_of_arrow(tmp_path: Path) -> None:
    kinds = {"struct": None, "map": pa.map_(pa.string(), pa.float64())}
    for name, kind in kinds.items():
        values = pa.array(MAPS if kind is None else [list(each.items()) for each in MAPS], kind)
        write_parquet(tmp_path / f"{name}.parquet", {"label": values})
        found = read_labels(read_columns(tmp_path / f"{name}.parquet", ["label"])[0])
        assert found.names == [("a",), ("b",), ("b",)]


def test_maps_of_truth_are_several_labels_a_text(tmp_path: Path) -> None:
    found = of_maps(tmp_path, {"food": True, "room": True}, {"food": False, "room": True}, {"room": False})
    assert (found.names, found.multi_label) == ([("food", "room"), ("room",), ()], True)


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ({"a": 7}, "expected 0, 1 or a probability between them for 'a' and found '7'"),
        ("a", "expected numbers of labels, such as"),
    ],
)
def test_a_map_that_is_unlike_the_others_is_named_by_its_row(tmp_path: Path, value: object, cause: str) -> None:
    with pytest.raises(TableError) as caught:
        of_maps(tmp_path, *MAPS, value)
    assert caught.value.row is not None
    assert (caught.value.row.number, caught.value.column, cause in caught.value.cause) == (4, "label", True)
