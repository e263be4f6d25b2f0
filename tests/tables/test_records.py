import csv
import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tables.dialect import Dialect
from tables.records import Known, Lines, Record, read_records

COMMA = Dialect(",")


def read(text: str, width: int = 2, dialect: Dialect = COMMA, sample: Sequence[str] | None = None) -> list[Record]:
    lines = re.findall("[^\n]*\n", text)
    known = Known(dialect, width, lines if sample is None else sample)
    return list(read_records(Lines(lines), dialect, known))


def test_lines_are_put_back_in_their_order() -> None:
    lines = Lines(["a", "b", "c"])
    assert [next(lines), next(lines), lines.number] == ["a", "b", 2]
    lines.keep(1)
    assert (lines.number, list(lines), lines.taken) == (1, ["b", "c"], ["a", "b", "c"])


def test_each_record_knows_its_lines_and_how_it_was_read() -> None:
    records = read('a,1\n"b\nc",2\n"d \\"e\\"",1\n"f "g" h",2\n"i,1\n\n')
    assert [(record.fields, record.num_lines, record.line, record.way) for record in records] == [
        (["a", "1"], 1, 1, "strict"),
        (["b\nc", "2"], 2, 3, "strict"),
        (['d "e"', "1"], 1, 4, "escaped"),
        (['f "g" h', "2"], 1, 5, "loose"),
        (['"i', "1"], 1, 6, "literal"),
        ([""], 1, 7, "strict"),
    ]


def test_a_quotation_mark_in_every_second_row_joins_none() -> None:
    text = "".join(f"{mark}text {n},{'ab'[n % 2]}\n" for n in range(40) for mark in ('"',) * (n % 2) or ("",))
    records = read(text)
    assert len(records) == 40
    assert [record.fields[1] for record in records] == ["a", "b"] * 20


def test_values_seen_once_are_told_by_the_width_of_many_lines() -> None:
    text = "".join(f"{'' if n else chr(34)}text,label{n}\n" for n in range(20)) + 'end",label\n'
    assert len(read(text)) == 21
    assert len(read('"Dear all, hello\nbest, Ann",pos\nno,neg\n')) == 2


def test_numbers_tell_rows_whose_quoted_column_is_the_last() -> None:
    text = '1,a\n2,"b\n3,c\n4,d"\n5,e\n'
    assert [record.fields for record in read(text)] == [["1", "a"], ["2", '"b'], ["3", "c"], ["4", 'd"'], ["5", "e"]]


def test_a_row_of_another_width_stays_one_record() -> None:
    assert [record.fields for record in read('"a\nb"\nc,1\n"d",2,3\n')] == [["a\nb"], ["c", "1"], ["d", "2", "3"]]


def test_a_mark_that_is_never_closed_is_looked_after_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tables.records.MAX_FIELD_CHARS", 400)
    lines = Lines(['"a,1\n', *["b,2\n"] * 999])
    records = read_records(lines, COMMA, Known(COMMA, 2, []))
    assert next(records).fields == ['"a', "1"]
    assert len(list(records)) == 999


def test_texts_that_share_a_line_with_a_comma_are_not_parted() -> None:
    rows = [[f"Dear all, hello\nit is, really, no {n}\nBest, Ann", "ab"[n % 2]] for n in range(50)]
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(rows)
    assert [record.fields for record in read(output.getvalue())] == rows


def test_a_line_of_a_text_that_is_a_text_elsewhere_is_no_row() -> None:
    rows = [["Thanks", "pos"], ["Hello,\nThanks,\nAnn", "pos"], ["no", "neg"], ["\nThanks,\n", "neg"], ["a", "pos"]]
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(rows)
    assert [record.fields for record in read(output.getvalue())] == rows


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["so", "said", ",", "\n", '"', "\\", " ", "a, b", "x\ny"]), max_size=12).map(
                "".join
            ),
            st.sampled_from(["pos", "neg"]),
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(deadline=None, max_examples=100)
def test_what_is_written_properly_is_read_as_it_was(pairs: list[tuple[str, str]]) -> None:
    """A file of few rows cannot tell a line of a text that is itself a text of the file from a row."""
    texts = {text for text, _ in pairs if text.strip()}
    assume(
        not any(part in texts for text in texts for line in text.split("\n") for part in line.split(",") if "," in line)
    )
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(pairs)
    assert [tuple(record.fields) for record in read(output.getvalue())] == pairs


@pytest.mark.parametrize("text", ["a\rb,1\n", 'a,1\n"b\rc",2\n'])
def test_a_return_inside_a_line_does_not_end_it(text: str) -> None:
    assert len(read(text)) == text.count("\n")
