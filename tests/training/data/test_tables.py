import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.data.tables import read_table
from training.errors import DataError, Row

BOTH = ["text", "label"]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def error_of(path: Path, columns: list[str] = BOTH) -> DataError:
    with pytest.raises(DataError) as caught:
        read_table(path, columns)
    assert str(path) in str(caught.value)
    return caught.value


def test_csv_with_byte_order_mark_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '\ufeffid,text,label\r\n1,"one, ""two""\nthree",x\r\n\r\n2,四,y\r\n')
    table = read_table(path, BOTH)
    assert table.columns == {"text": ['one, "two"\nthree', "四"], "label": ["x", "y"]}
    assert [str(table.row(i)) for i in range(2)] == ["row 1 (line 3)", "row 2 (line 5)"]


def test_tsv_reads_quotes_only_where_they_are_well_formed(tmp_path: Path) -> None:
    quoted = write(tmp_path / "a.tsv", 'text\tlabel\n"a\ttab"\tx\n')
    assert read_table(quoted, BOTH).columns["text"] == ["a\ttab"]
    plain = write(tmp_path / "b.tsv", 'text\tlabel\n"Good" film\tx\nsaid "no"\ty\n')
    assert read_table(plain, BOTH).columns["text"] == ['"Good" film', 'said "no"']


def test_jsonl_keeps_types_and_unusual_line_separators(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", '{"text": "a\u2028b", "label": 1}\n\n{"text": "c", "label": ["x"]}\n{"text": "d"}'
    )
    table = read_table(path, BOTH)
    assert table.columns == {"text": ["a\u2028b", "c", "d"], "label": [1, ["x"], None]}
    assert table.row(1) == Row(2, 3)


def test_parquet_has_rows_and_no_lines(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a", "b"], "label": pyarrow.array(["x", "y"]).dictionary_encode(), "n": [1, 2]})
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(table, path)
    read = read_table(path, BOTH)
    assert read.columns == {"text": ["a", "b"], "label": ["x", "y"]}
    assert str(read.row(1)) == "row 2"


def test_text_formats_may_be_gzipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(b"text,label\na,x\n"))
    assert read_table(path, BOTH).columns["text"] == ["a"]
    assert "gzip" in error_of(write(tmp_path / "b.csv.gz", b"text,label\n")).cause
    assert "gzip" in error_of(write(tmp_path / "c.csv.gz", gzip.compress(b"text,label\na,x\n")[:-9])).cause


def test_a_missing_column_lists_those_there_are(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"review": ["a"], "label": ["x"]}), tmp_path / "a.parquet")
    for path in (
        write(tmp_path / "a.csv", "review,label\na,x\n"),
        write(tmp_path / "a.jsonl", '{"review": "a", "label": "x"}\n'),
        tmp_path / "a.parquet",
    ):
        assert error_of(path).cause == "no column 'text'; the file has 'review', 'label'"


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.csv", "", "is empty"),
        ("a.jsonl", "\n\n", "is empty"),
        ("a.csv", "text,label,text\na,x,b\n", "two columns have this name"),
        ("a.csv", 'text,label\n"a,x\n', "not valid CSV"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": \n', "not valid JSON"),
        ("a.jsonl", '["text"]\n', "list where an object is due"),
        ("a.jsonl", '{"a":' * 100_000, "not valid JSON"),
        ("a.parquet", b"PAR1 not really", "not a sound Parquet file"),
        ("a.csv", "text,label\na,x\n".encode("utf-16"), "is UTF-16"),
        ("a.csv", "text,label\na,x\ncaf\xe9,x\n".encode("latin-1"), "line 3 is not UTF-8 (byte 0xe9)"),
        ("a.xlsx", "", "unknown kind of file; known are .csv"),
        ("a.parquet.gz", "", "unknown kind of file"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, content: str | bytes, cause: str) -> None:
    assert cause in error_of(write(tmp_path / name, content)).cause


def test_rows_of_another_width_name_row_and_line(tmp_path: Path) -> None:
    error = error_of(write(tmp_path / "a.csv", "text,label\na,x\nb,x,y\n"))
    assert (error.row, error.cause) == (Row(2, 3), "3 fields where the header has 2")
    assert error_of(write(tmp_path / "a.tsv", "text\tlabel\na\tx\nb\n")).row == Row(2, 3)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.csv").cause == "does not exist"
    (tmp_path / "folder.csv").mkdir()
    assert error_of(tmp_path / "folder.csv").cause == "is a folder"


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "a.csv", "text,label\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert error_of(path).cause == "cannot be read: Permission denied"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_json_lines_hold_any_text(tmp_path: Path, texts: list[str]) -> None:
    lines = (json.dumps({"text": text, "label": "x"}, ensure_ascii=False) for text in texts)
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    assert read_table(path, BOTH).columns["text"] == texts
