import gzip
import io
import logging
import re
from pathlib import Path

import pytest

from tables.errors import MissingColumnError, TableError
from tables.parquet import write_parquet
from tables.reader import LOGGER, read_batches, read_columns
from tests.tables.cases import CASES, Case
from tests.tables.samples import BOTH, error_of, values, write


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.csv").cause == "does not exist"
    (tmp_path / "folder.csv").mkdir()
    assert error_of(tmp_path / "folder.csv").cause.startswith("is a folder; it should hold tables")


def test_a_name_in_an_older_encoding_is_refused(tmp_path: Path) -> None:
    """As ZIP archives from Windows leave them: no report, no configuration and no column can hold such a name."""
    path = tmp_path / "caf\udce9.csv"
    path.write_text("text,label\na,x\n", encoding="utf-8")
    assert error_of(path).cause.endswith("that is not UTF-8; rename that first")


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


def test_parquet_is_read_whatever_its_name(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.csv", {"text": ["a"], "label": ["x"]})
    assert values(tmp_path / "a.csv") == {"text": ["a"], "label": ["x"]}
    packed = write(tmp_path / "a.parquet.gz", gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert "unpack it first" in error_of(packed).cause


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.csv", "<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page or XML, not a table"),
        ("a.jsonl", '\n<?xml version="1.0"?><rows/>', "is a web page or XML, not a table"),
        ("a.parquet", "text,label\na,x\n", ""),
        ("a.xlsx", b"\xff\xfd\x00not one", "is damaged: it does not begin like a .xlsx file"),
        ("a.parquet", b"PAX1\xff\xfe\xfa", "is damaged: it does not begin like a .parquet file"),
    ],
)
def test_content_that_its_name_does_not_tell(tmp_path: Path, name: str, content: str | bytes, cause: str) -> None:
    path = write(tmp_path / name, content)
    if cause:
        assert cause in error_of(path).cause
    else:
        assert values(path)["text"] == ["a"]


def test_a_line_is_logged_of_each_file_that_was_read_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.csv", "text;label\na;x\n;\nb;y\n")
    with caplog.at_level(logging.INFO, LOGGER.name):
        batches = read_batches(path, BOTH, batch_rows=1)
        next(batches)
        assert not caplog.messages
        list(batches)
    expected = f"{path}: 2 rows from 4 lines; CSV separated by semicolons, UTF-8; 1 empty row passed over"
    assert caplog.messages == [expected]


def test_rows_of_several_files_know_their_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "text,label\na,x\nb\n")
    second = write(tmp_path / "b.jsonl", '{"label": 1, "text": "c"}\n')
    texts, labels = read_columns([first, second], BOTH)
    assert (texts.values, labels.values) == (["a", "b", "c"], ["x", None, 1])
    assert list(map(str, texts.rows)) == ["a.csv row 1 (line 2)", "a.csv row 2 (line 3)", "b.jsonl row 1 (line 1)"]
    assert str(labels.error(2, "is no good")) == f"{second}, row 1 (line 1), column 'label': is no good"
    assert texts.warnings == ["a.csv: 1 row shorter than the header, the rest taken for empty (row 2 (line 3))"]
    assert (texts.misread.count, str(texts.misread)) == (1, "a.csv row 2 (line 3)")
    with pytest.raises(TableError, match=r"b\.jsonl: no column 'note'"):
        read_columns([write(first, "text,note\na,x\n"), second], ["text", "note"])


def test_all_columns_are_read_where_none_are_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"id": [1], "text": ["a"]})
    files = [
        write(tmp_path / "a.csv", "id;text;text\n1;a;b\n"),
        write(tmp_path / "a.jsonl", '{"id": 1}\n{"text": "a"}\n'),
        tmp_path / "a.parquet",
    ]
    for path in files:
        (batch,) = read_batches(path, None)
        assert batch.records.schema.names == ["id", "text"]
        assert "a" in batch.values("text")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_row_is_read_and_said(case: Case, tmp_path: Path) -> None:
    texts, labels = read_columns(write(tmp_path / case.name, case.content), BOTH)
    assert list(zip(texts.values, labels.values, strict=True)) == case.rows
    (reading,) = texts.readings
    line = reading.describe()
    assert "\n" not in line
    assert all(part in line for part in case.said), line
    assert reading.rows == len(case.rows)
    if reading.lines is not None:
        rows = reading.rows + reading.left_out.count + reading.empty + reading.inside
        assert reading.lines == reading.header_lines + rows


def test_files_that_are_read_together_need_the_same_names(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.csv", "message,label\na,x\n"), write(tmp_path / "b.csv", "text,label\na,x\n")]
    cause = "no column 'message'; the file has 'text', 'label'; files that are read together need the same names of "
    with pytest.raises(MissingColumnError, match=re.escape(f"b.csv: {cause}columns: rename it here or there")):
        read_columns(files, ["message", "label"])
    with pytest.raises(MissingColumnError, match=r"the file has 'text', 'label'$"):
        read_columns(files[1], ["message", "label"])
