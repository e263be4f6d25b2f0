import csv
from collections import Counter
from pathlib import Path

import pytest

from tables.errors import TableError
from tables.parquet import write_parquet
from training.annotation.review import draw_sample, known_labels, read_pairs, write_review
from training.errors import DataError

LABELS = {f"text {number}": "a" if number < 70 else "b" if number < 99 else "c" for number in range(100)}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (10, {"a": 7, "b": 2, "c": 1}),
        (3, {"a": 2, "b": 1, "c": 1}),
        (1, {"a": 1, "b": 1, "c": 1}),
        (500, {"a": 70, "b": 29, "c": 1}),
    ],
)
def test_a_sample_has_each_label_in_proportion(count: int, expected: dict[str, int]) -> None:
    drawn = draw_sample(LABELS, count, seed=1)
    assert len(set(drawn)) == len(drawn)
    assert Counter(LABELS[text] for text in drawn) == expected


def test_a_sample_is_repeatable_and_in_random_order() -> None:
    first = draw_sample(LABELS, 20, seed=1)
    assert first == draw_sample(LABELS, 20, seed=1)
    assert first != draw_sample(LABELS, 20, seed=2)
    assert [LABELS[text] for text in first] != sorted(LABELS[text] for text in first)


def fill(path: Path, labels: dict[str, str]) -> None:
    """As a person does in a spreadsheet."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["key", "text", "label"])
        writer.writeheader()
        writer.writerows(row | {"label": labels.get(row["text"], "")} for row in rows)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labels.parquet"
    texts = ["one", "=2+3", "three\nlines", "four", "five"]
    write_parquet(path, {"text": texts, "label": ["a", "b", "a", "b", None], "a": [0.0] * 5, "c": [0.0] * 5})
    return path


def test_a_person_fills_in_labels_without_seeing_those_of_the_model(labelled: Path, tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    assert write_review(path, ["one", "=2+3", "three\nlines", "four"])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["key", "text", "label"]
    assert rows[1]["text"] == "'=2+3", "no formula"
    assert {row["label"] for row in rows} == {""}
    with pytest.raises(DataError, match="no label is filled in"):
        read_pairs(labelled, path, text_column="text")
    assert write_review(path, ["one", "four"]), "an empty one is drawn anew"
    write_review(path, ["one", "=2+3", "three\nlines", "four"])
    fill(path, {"one": " A", "'=2+3": "a", "three\nlines": "z"})
    assert read_pairs(labelled, path, text_column="text") == [("a", "a"), ("a", "b"), ("z", "a")]
    assert not write_review(path, ["one"]), "a person's work stays"
    assert known_labels(labelled) == {"a", "b", "c"}
    (tmp_path / "labels.csv").write_text("text,label\none,a\nfour,\n", encoding="utf-8")
    assert known_labels(tmp_path / "labels.csv") == {"a"}, "also of a copy in another format"


def test_a_sample_of_another_file_is_refused(labelled: Path, tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    write_review(path, ["one", "other"])
    fill(path, {"one": "a", "other": "b"})
    with pytest.raises(DataError, match="row 2 has the key of no labelled text"):
        read_pairs(labelled, path, text_column="text")
    path.write_text("text\nx\n")
    with pytest.raises(TableError, match=r"no column 'key'.*; label --review writes such a file"):
        write_review(path, ["one"])
