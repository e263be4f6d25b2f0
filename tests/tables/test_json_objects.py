import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tables.errors import Row, TableError
from tables.json_objects import FIRST_RECORDS
from tables.reader import read_batches
from tables.reading import BadRow, Reading
from tests.tables.samples import BOTH, error_of, rows, values, write


def test_types_and_unusual_line_separators_are_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", '{"text": "a\u2028b", "label": 1}\n\n{"text": "c", "label": ["x"]}\n{"text": "d"}'
    )
    assert values(path) == {"text": ["a\u2028b", "c", "d"], "label": [1, ["x"], None]}
    assert rows(path)[1] == "row 2 (line 3)"


def test_a_column_may_hold_values_of_several_types(tmp_path: Path) -> None:
    labels = [1, "1", 1.5, True, None, ["a", None], {"b": 2}, 2**70, "\U0001f600"]
    lines = (json.dumps({"text": "", "label": label}) for label in labels)
    assert values(write(tmp_path / "a.ndjson", "\n".join(lines)))["label"] == labels


def test_half_a_surrogate_pair_is_told_and_read_as_what_marks_a_damaged_character(tmp_path: Path) -> None:
    """As a program leaves it that cuts a text inside an emoji; no file but JSON can hold it."""
    path = write(tmp_path / "a.jsonl", json.dumps({"text": "good \ud83d", "label": ["\ude00", "é"]}))
    readings: list[Reading] = []
    (batch,) = read_batches(path, BOTH, readings=readings)
    assert (batch.values("text"), batch.values("label")) == (["good \ufffd"], [["\ufffd", "é"]])
    assert readings[0].warnings() == ["2 places not valid in UTF-8, read as '\ufffd'"]


@pytest.mark.parametrize(
    ("content", "row", "cause"),
    [
        ("\n\n", None, "is empty"),
        ('{"text": "a", "label": 1}\n{"text": \n', Row(2, 2), "not valid JSON"),
        ('\n["text"]\n', Row(1, 2), "expected one JSON object a row, found str"),
        ('{"a":' * 100_000, Row(1, 1), "not valid JSON"),
        ('{"text": ["a", "b"], "label": ["x"]}', None, "has columns of different lengths ('text' 2, 'label' 1); write"),
        ('{"train": [{"text": "a"}], "test": []}', None, "no column 'text'; the file has 'train', 'test'"),
        ('{"review": "a", "label": 1}\n', None, "no column 'text'; the file has 'review', 'label'"),
    ],
)
def test_unusable_files(tmp_path: Path, content: str, row: Row | None, cause: str) -> None:
    error = error_of(write(tmp_path / "a.jsonl", content))
    assert cause in error.cause
    assert error.row == row


def test_a_single_object_is_a_row_unless_it_is_a_table(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", '{"text": "a", "label": ["x", "y"], "data": [1, 2]}\n')
    assert values(one) == {"text": ["a"], "label": [["x", "y"]]}
    two = write(tmp_path / "two.jsonl", '{"text": ["a"], "label": ["x"]}\n' * 2)
    assert values(two) == {"text": [["a"], ["a"]], "label": [["x"], ["x"]]}


def test_columns_may_hold_lists_nulls_and_rows_without_a_value(tmp_path: Path) -> None:
    lists = write(tmp_path / "lists.json", '{"text": ["a", null], "label": [["x", "y"], []], "source": "a survey"}')
    assert values(lists) == {"text": ["a", None], "label": [["x", "y"], []]}
    named = write(tmp_path / "named.json", '{"text": {"3": "a", "5": "b"}, "label": {"5": "x"}}')
    assert values(named) == {"text": ["a", "b"], "label": [None, "x"]}
    assert rows(named) == ["row 1 (line 1)", "row 2 (line 1)"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_read_as_it_was_written(tmp_path: Path, texts: list[str]) -> None:
    lines = (json.dumps({"text": text, "label": "x"}, ensure_ascii=False) for text in texts)
    assert values(write(tmp_path / "a.jsonl", "\n".join(lines)))["text"] == texts


def test_lines_that_are_no_objects_go_to_the_one_who_takes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": \n[1]\n7\n{"text": "b"}\n')
    bad: list[BadRow] = []
    batches = list(read_batches(path, ["text"], refuse=bad.append))
    assert [value for batch in batches for value in batch.values("text")] == ["a", "b"]
    assert [number for batch in batches for number in batch.numbers.to_pylist()] == [1, 5]
    assert [(row.row.number, row.row.line, row.content) for row in bad] == [
        (2, 2, '{"text":'),
        (3, 3, "[1]"),
        (4, 4, "7"),
    ]
    assert bad[1].cause == "expected one JSON object a row, found list"


def test_keys_that_the_first_objects_lack_are_named(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a"})] * FIRST_RECORDS + [json.dumps({"text": "b", "late": 1})] * 2
    readings: list[Reading] = []
    list(read_batches(write(tmp_path / "a.jsonl", "\n".join(lines)), None, readings=readings))
    assert "keys that none of the first 500 objects has are no columns: 'late' (2)" in readings[0].describe()


@pytest.mark.parametrize("first", ['{"text": "cut', '{"text": "cut"', '["an array"]', "no JSON at all"])
def test_a_first_line_that_cannot_be_read_is_a_row_before_lines_that_can(tmp_path: Path, first: str) -> None:
    path = write(tmp_path / "a.jsonl", first + '\n{"text": "b", "label": "x"}\n\n{"text": "c", "label": "y"}\n')
    refused: list[BadRow] = []
    batches = list(read_batches(path, BOTH, refuse=refused.append))
    assert [value for batch in batches for value in batch.values("text")] == ["b", "c"]
    assert [str(bad.row) for bad in refused] == ["row 1 (line 1)"]
    assert str(error_of(path).row) == "row 1 (line 1)"


@pytest.mark.parametrize(
    "text", ['[\n{"text": "a"}\n]', '{"0":\n{"text": "a"}\n}', '{\n"text":\n"a"}', '{"text": "a"\n}']
)
def test_objects_over_several_lines_are_not_lines_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path, refused = write(tmp_path / "a.json", text), list[BadRow]()
    (batch,) = read_batches(path, ["text"], refuse=refused.append)
    assert batch.values("text") == ["a"]
    assert not refused


def test_a_cut_file_over_several_lines_is_an_error(tmp_path: Path) -> None:
    path, refused = write(tmp_path / "a.json", '{"text": "a",\n"label": \n'), list[BadRow]()
    with pytest.raises(TableError, match="not valid JSON"):
        list(read_batches(path, ["text"], refuse=refused.append))
    assert not refused


def test_a_file_of_rows_that_are_refused_is_not_empty(tmp_path: Path) -> None:
    path, refused = write(tmp_path / "a.jsonl", '"a"\n"b"\n'), list[BadRow]()
    for columns in (["text"], None):
        assert list(read_batches(path, columns, refuse=refused.append)) == []
    assert len(refused) == 4


def test_nothing_after_the_end_of_an_array_is_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '[{"text": "a", "label": "x"}]\n[{"text": "b", "label": "y"}]\n')
    assert error_of(path).cause == "not valid JSON: something follows the end of the array"
