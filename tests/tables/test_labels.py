import json
from pathlib import Path

import pytest

from tables.errors import Row, TableError
from tables.labels import Names, read_labels, read_texts
from tables.parquet import write_parquet
from tables.reader import Column, read_columns
from tests.tables.samples import write


def column(*values: object) -> Column:
    return Column(Path("a.csv"), "label", list(values), [Row(number + 1) for number in range(len(values))])


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((10, -1), ("10", "-1")),
        ((True, False), ("true", "false")),
        ((1.0, 1, "1"), ("1", "1", "1")),
        (("b", " a "), ("b", "a")),
        ((0.5, "x"), ("0.5", "x")),
    ],
)
def test_labels_of_any_type_become_names(values: tuple[object, ...], names: Names) -> None:
    assert read_labels(column(*values)) == ([(name,) for name in names], False)


def test_lists_make_a_column_multi_label(tmp_path: Path) -> None:
    expected = [("b", "a"), (), ("1",)], True
    lists: list[list[object]] = [["b", "a", "b"], [], [1]]
    assert read_labels(column(*lists)) == expected
    assert read_labels(column(*map(json.dumps, lists))) == expected
    write_parquet(tmp_path / "a.parquet", {"label": [["a", "b"], ["b"]]})
    assert read_labels(*read_columns(tmp_path / "a.parquet", ["label"])) == ([("a", "b"), ("b",)], True)
    write(tmp_path / "a.csv", 'label\n"[""a"", ""b""]"\n"[""b""]"\n')
    assert read_labels(*read_columns(tmp_path / "a.csv", ["label"])) == ([("a", "b"), ("b",)], True)


@pytest.mark.parametrize(
    ("values", "row", "cause"),
    [
        (("a", None), 2, "the label is missing"),
        (("a", "  "), 2, "the label is missing"),
        ((1.0, float("nan")), 2, "the label is missing"),
        ((["a"], None), 2, "expected a list of labels, as in other rows"),
        (("a", ["b"]), 1, "expected a list of labels, as in other rows"),
        ((["a"], ["b", None]), 2, "the label is missing"),
        (("a", {"b": 1}), 2, "expected a label, found dict"),
        (("[1]", "[1"), 2, "not a JSON array of labels"),
    ],
)
def test_unusable_labels_are_named(values: tuple[object, ...], row: int, cause: str) -> None:
    with pytest.raises(TableError) as caught:
        read_labels(column(*values))
    assert cause in caught.value.cause
    assert str(caught.value).startswith(f"a.csv, row {row}, column 'label': ")


def test_texts_are_text_or_numbers() -> None:
    assert read_texts(column("x", 5, "", 0.5)) == ["x", "5", "", "0.5"]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (None, "the text is missing"),
        (float("nan"), "the text is missing"),
        (True, "expected text, found bool"),
        (["x"], "expected text, found list"),
    ],
)
def test_unusable_texts_are_named(value: object, cause: str) -> None:
    with pytest.raises(TableError, match=rf"row 2, column 'label': {cause}"):
        read_texts(column("x", value))
