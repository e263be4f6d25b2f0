from pathlib import Path

import pytest

from tables.errors import Row
from tests.tables.samples import error_of, rows, values, write


def test_csv_with_byte_order_mark_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '\ufeffid,text,label\r\n1,"one, ""two""\nthree",x\r\n\r\n2,四,y\r\n')
    assert values(path) == {"text": ['one, "two"\nthree', "四"], "label": ["x", "y"]}
    assert rows(path) == ["row 1 (line 3)", "row 2 (line 5)"]


def test_tsv_reads_quotes_only_where_they_are_well_formed(tmp_path: Path) -> None:
    quoted = write(tmp_path / "a.tsv", 'text\tlabel\n"a\ttab"\tx\n')
    assert values(quoted)["text"] == ["a\ttab"]
    plain = write(tmp_path / "b.tsv", 'text\tlabel\n"Good" film\tx\nsaid "no"\ty\n')
    assert values(plain)["text"] == ['"Good" film', 'said "no"']


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "is empty"),
        ("\n\r\n", "is empty"),
        ("text,label,text\na,x,b\n", "two columns have this name"),
        ('text,label\n"a,x\n', "not valid CSV"),
        ("review,label\na,x\n", "no column 'text'; the file has 'review', 'label'"),
    ],
)
def test_unusable_files(tmp_path: Path, content: str, cause: str) -> None:
    assert cause in error_of(write(tmp_path / "a.csv", content)).cause


def test_rows_of_another_width_name_row_and_line(tmp_path: Path) -> None:
    error = error_of(write(tmp_path / "a.csv", "text,label\na,x\nb,x,y\n"))
    assert (error.row, error.cause) == (Row(2, 3), "3 fields where the header has 2")
    assert error_of(write(tmp_path / "a.tsv", "text\tlabel\na\tx\nb\n")).row == Row(2, 3)
