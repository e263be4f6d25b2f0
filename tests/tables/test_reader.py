import io
from pathlib import Path

import pytest

from tables.reader import read_columns
from tests.tables.samples import error_of, write


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("a.xlsx", "unknown file format; known are .csv, .tsv, .jsonl, .ndjson, .parquet (those of text also as .gz)"),
        ("a.parquet.gz", "unknown file format"),
    ],
)
def test_files_of_an_unknown_format(tmp_path: Path, name: str, cause: str) -> None:
    assert cause in error_of(write(tmp_path / name, "")).cause


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.csv").cause == "does not exist"
    (tmp_path / "folder.csv").mkdir()
    assert error_of(tmp_path / "folder.csv").cause == "is a folder"


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path, mode: str) -> io.BufferedReader:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "a.csv", "text,label\n")
    monkeypatch.setattr(Path, "open", refuse)
    assert error_of(path).cause == "cannot be read: Permission denied"


def test_a_column_may_be_asked_for_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a.CSV", "text\na\n")
    assert [column.values for column in read_columns(path, ["text", "text"])] == [["a"], ["a"]]


def test_an_error_of_a_value_names_its_place(tmp_path: Path) -> None:
    (column,) = read_columns(write(tmp_path / "a.csv", "text\na\n\nb\n"), ["text"])
    assert str(column.error(1, "is no good")) == f"{tmp_path / 'a.csv'}, row 2 (line 4), column 'text': is no good"
