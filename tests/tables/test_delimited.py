from pathlib import Path

import pytest

from tables.errors import Row
from tables.reader import read_batches
from tables.reading import BadRow
from tests.tables.samples import error_of, rows, values, write


def test_csv_with_byte_order_mark_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '\ufeffid,text,label\r\n1,"one, ""two""\nthree",x\r\n\r\n2,四,y\r\n')
    assert values(path) == {"text": ['one, "two"\nthree', "四"], "label": ["x", "y"]}
    assert rows(path) == ["row 1 (line 3)", "row 2 (line 5)"]


def test_tsv_reads_quotes_only_where_they_enclose_a_field(tmp_path: Path) -> None:
    quoted = write(tmp_path / "a.tsv", 'text\tlabel\n"a\ttab"\tx\n')
    assert values(quoted)["text"] == ["a\ttab"]
    plain = write(tmp_path / "b.tsv", 'text\tlabel\n"Good" film\tx\nsaid "no"\ty\n')
    assert values(plain)["text"] == ['"Good" film', 'said "no"']


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "is empty"),
        ("\n\r\n", "is empty"),
        ("sep=;\n", "is empty"),
        ("text,label,text\na,x,b\n", "two columns have this name"),
        ("text,Label,LABEL\na,x,b\n", "two columns have this name"),
        ("review,label\na,x\n", "no column 'text'; the file has 'review', 'label'"),
        ("review;stars\na, b;x\n", "no column 'text'; the file has 'review', 'stars'"),
    ],
)
def test_unusable_files(tmp_path: Path, content: str, cause: str) -> None:
    assert cause in error_of(write(tmp_path / "a.csv", content)).cause


def test_many_rows_that_are_too_long_are_refused_with_the_first(tmp_path: Path) -> None:
    error = error_of(write(tmp_path / "a.csv", "text,label\na,x\nb, c,y\nd, e,y\n"))
    assert error.row == Row(2, 3)
    assert error.cause.startswith("2 rows of 3 have more fields than the header's 2; a text that holds the separator")
    long = "".join(f"text {number},x\n" for number in range(18)) + "b, c,y\nd, e,y\n"
    assert len(values(write(tmp_path / "b.csv", "text,label\n" + long))["text"]) == 18


def test_a_column_by_itself_may_hold_separators(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text\nfine, warm; cheap\nno\n\nwell, no\n")
    from tables.reader import read_columns

    (column,) = read_columns(path, ["text"])
    assert column.values == ["fine, warm; cheap", "no", "well, no"]
    assert "3 rows from 5 lines; one column, UTF-8; 1 empty row passed over" in column.readings[0].describe()


def test_rows_that_are_too_wide_go_to_the_one_who_takes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n" + "1,a,b\n" * 5 + "2,c\n")
    bad: list[BadRow] = []
    (batch,) = read_batches(path, None, refuse=bad.append)
    assert batch.values("text") == ["c"]
    assert [(row.row.number, row.content) for row in bad] == [(number, ["1", "a", "b"]) for number in range(1, 6)]
