import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.bulk.errors import BulkError
from app.bulk.run import Call, predict
from app.bulk.windows import WINDOW_ROWS
from tables.errors import TableError
from tests.tables.test_spreadsheet import workbook

ROWS = 3 * WINDOW_ROWS + 5


@pytest.fixture
def table(tmp_path: Path) -> Path:
    texts = ["" if row % 1000 == 7 else "x" * (row % 11) + str(row) for row in range(ROWS)]
    pq.write_table(pa.table({"id": range(ROWS), "text": texts}), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_row_is_written_once_in_its_order(classifier: Any, table: Path, tmp_path: Path) -> None:
    outcome = predict(classifier, Call([table], str(tmp_path / "out.parquet")), threads=2)
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows.column("id").to_pylist() == [row for row in range(ROWS) if row % 1000 != 7]
    assert set(rows.column("label").to_pylist()) == {"even"}
    bad = [json.loads(line) for line in (tmp_path / "out.parquet.bad.jsonl").read_text().splitlines()]
    assert [row["content"]["id"] for row in bad] == [row for row in range(ROWS) if row % 1000 == 7]
    assert bad[0]["cause"] == "has no text"
    assert (outcome.counts.rows, outcome.counts.bad) == (len(rows), len(bad))
    assert outcome.bad == f"{tmp_path}/out.parquet.bad.jsonl"
    assert "texts per core-hour" in outcome.cost


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl.gz", "out/"])
@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_stopped_run_ends_like_one_that_was_not(
    classifier: Any, table: Path, tmp_path: Path, name: str, stop: int
) -> None:
    call = Call([table], f"{tmp_path}/whole/{name}", format="csv" if name == "out/" else None, part_rows=WINDOW_ROWS)
    predict(classifier, call, threads=1)

    def fail(number: int) -> None:
        if number == stop:
            raise RuntimeError("killed")

    classifier.calls, classifier.before_score = 0, fail
    again = replace(call, output=f"{tmp_path}/stopped/{name}")
    with pytest.raises(RuntimeError):
        predict(classifier, again, threads=1)
    classifier.calls, classifier.before_score = 0, lambda _: None
    said: list[str] = []
    outcome = predict(classifier, again, threads=2, say=said.append)
    assert classifier.calls == 4 - (stop - 1)
    assert bool(said) == (stop > 1)
    assert outcome.counts.rows + outcome.counts.bad == ROWS
    assert content_of(tmp_path / "whole") == content_of(tmp_path / "stopped")


def test_changed_files_are_not_joined_to_what_was_done(classifier: Any, table: Path, tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise RuntimeError

    classifier.before_score = fail
    call = Call([table], str(tmp_path / "out.csv"), part_rows=WINDOW_ROWS)
    with pytest.raises(RuntimeError):
        predict(classifier, call, threads=1)
    pq.write_table(pa.table({"text": ["other"]}), table)
    with pytest.raises(BulkError, match=r"another call \(other files\)"):
        predict(classifier, call, threads=1)


def test_a_failed_call_is_not_in_the_way_of_the_corrected_one(classifier: Any, tmp_path: Path) -> None:
    first, other = (
        write(tmp_path / "a.jsonl", '{"id": 1, "text": "a"}\n'),
        write(tmp_path / "b.csv", "id,text,n\n1,b,\n"),
    )
    call = Call([first, other], str(tmp_path / "out.csv"))
    with pytest.raises(BulkError, match=r"b.csv: the files differ in columns \('n'\); name those to keep with --keep"):
        predict(classifier, call, threads=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "b.csv"]
    assert predict(classifier, replace(call, keep=("id", "text")), threads=1).counts.rows == 2


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_several_files_are_one_table(classifier: Any, tmp_path: Path) -> None:
    files = [write(tmp_path / "a.csv", "id,text\n1,a\n"), write(tmp_path / "b.jsonl", '{"id": 2, "text": "b"}\n')]
    predict(classifier, Call(files, str(tmp_path / "out.jsonl")), threads=1)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["text"]) for row in rows] == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize(
    ("contents", "options", "cause"),
    [
        (["text,label\na,b\n"], {}, "already; name the new ones with --prefix"),
        (["text\n"], {}, "there is no row to score"),
        (["text,id\na,1\n", "text,key\na,1\n"], {}, r"b.csv: the files differ in columns \('id', 'key'\)"),
        (
            ["text,id\na,1\n", "review,id\na,1\n"],
            {},
            r"b.csv: .* \('review', 'text'\); its texts must be called 'text'",
        ),
        (["text\na\n"], {"output": "out.xlsx"}, "does not say the format"),
    ],
)
def test_calls_that_cannot_be_done_are_sentences(
    classifier: Any, tmp_path: Path, contents: Sequence[str], options: dict[str, Any], cause: str
) -> None:
    files = [write(tmp_path / f"{name}.csv", content) for name, content in zip("ab", contents, strict=False)]
    call = replace(Call(files, f"{tmp_path}/{options.pop('output', 'out.csv')}"), **options)
    with pytest.raises(BulkError, match=cause):
        predict(classifier, call, threads=1)


def test_types_of_a_later_file_must_fit(classifier: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1], "text": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["one"], "text": ["a"]}), tmp_path / "b.parquet")
    call = Call([tmp_path / "a.parquet", tmp_path / "b.parquet"], str(tmp_path / "out.parquet"))
    with pytest.raises(BulkError, match=r"b.parquet, column 'id': string does not fit int64"):
        predict(classifier, call, threads=1)


def test_a_missing_column_names_the_file(classifier: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "text\na\n")
    with pytest.raises(TableError, match=r"a.csv: no column 'id'"):
        predict(classifier, Call([file], str(tmp_path / "out.csv"), keep=("id",)), threads=1)


def test_labels_beside_labels_have_a_prefix(classifier: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "text,label\na,b\n")
    predict(classifier, Call([file], str(tmp_path / "out.csv"), prefix="predicted_"), threads=1)
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert header == '"text","label","predicted_label","predicted_score"'


def test_standard_input_is_known_by_its_content(
    classifier: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tables.sources import _copy_of

    _copy_of.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text\ngood\n")))
    predict(classifier, Call([Path("-")], str(tmp_path / "out.jsonl")), threads=1)
    _copy_of.cache_clear()
    assert json.loads((tmp_path / "out.jsonl").read_text())["label"] == "even"


@pytest.mark.parametrize("broken", ['{"text": "cut', '["an array"]', '"a string"'])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_lines_that_cannot_be_read_are_set_aside(classifier: Any, tmp_path: Path, broken: str, place: int) -> None:
    lines = ['{"review": "one"}', '{"review": "two"}', '{"review": "three"}']
    lines.insert(place, broken)
    file = write(tmp_path / "a.jsonl", "\n".join(lines) + "\n")
    outcome = predict(classifier, Call([file], str(tmp_path / "out.jsonl")), threads=1)
    assert (outcome.counts.rows, outcome.counts.bad) == (3, 1)
    bad = json.loads((tmp_path / "out.jsonl.bad.jsonl").read_text())
    assert (bad["row"], bad["line"]) == (place + 1, place + 1)


def test_without_a_row_that_can_be_read_the_first_cause_is_said(classifier: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", '"one"\n"two"\n')
    with pytest.raises(
        BulkError, match=r"no row to score; .*a.jsonl, row 1 \(line 1\): expected one JSON object a row"
    ):
        predict(classifier, Call([file], str(tmp_path / "out.csv")), threads=1)


def test_a_found_column_is_said_and_found_in_the_sheet_that_is_read(classifier: Any, tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | float | bool | None]]] = {
        "first": [["text"], ["of the first"]],
        "second": [["what they said"], ["of the second sheet"]],
    }
    (tmp_path / "a.xlsx").write_bytes(workbook(**sheets))
    call, said = Call([tmp_path / "a.xlsx"], str(tmp_path / "out.jsonl"), sheet="second"), list[str]()
    predict(classifier, call, threads=1, say=said.append)
    assert said == [f"{tmp_path}/a.xlsx: texts found in column 'what they said'"]
    assert json.loads((tmp_path / "out.jsonl").read_text())["what they said"] == "of the second sheet"
    predict(classifier, replace(call, text_column="what they said", overwrite=True), threads=1, say=said.append)
    assert len(said) == 1


def test_a_row_in_place_of_a_header_is_not_lost(classifier: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "good film,1\nbad film,2\n")
    call = Call([file], str(tmp_path / "out.csv"))
    with pytest.raises(TableError, match="the first line looks like a row, since '1' is a number as in the rows below"):
        predict(classifier, call, threads=1)
    assert predict(classifier, replace(call, text_column="good film"), threads=1).counts.rows == 1
    file = write(tmp_path / "a.txt", "good film\nbad film\n")
    assert predict(classifier, replace(call, files=[file], overwrite=True), threads=1).counts.rows == 2


def test_a_file_of_bad_rows_alone_says_where_they_are(classifier: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'id,text\n1,""\n2," "\n')
    outcome = predict(classifier, Call([file], str(tmp_path / "out.csv"), text_column="text"), threads=1)
    assert (outcome.counts.rows, outcome.counts.bad) == (0, 2)
    assert (tmp_path / "out.csv").read_text() == '"id","text","label","score"\n'
    assert len((tmp_path / "out.csv.bad.jsonl").read_text().splitlines()) == 2
