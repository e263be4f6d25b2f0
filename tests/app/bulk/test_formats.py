import gzip
import io
import json
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from app.bulk.errors import BulkError
from app.bulk.formats import Form, form_of
from tables.batch import JSON, STRING
from tables.text import zstd

SCORES = pa.StructArray.from_arrays(
    [pa.array([0.25, 0.1], pa.float32()), pa.array([0.75, 0.9], pa.float32())], names=["no", 'y"es']
)
TABLE = pa.table(
    {
        "id": pa.array([1, None], pa.int64()),
        "text": ['He said "no",\nand\tleft \u2028 \x01', "好"],
        "flag": [True, False],
        "day": [date(2026, 11, 28), None],
        "price": pa.array([float("nan"), 0.1]),
        "tags": [["a", "b"], None],
        "extra": pa.array(['{"k": [1, null]}', '"plain"'], STRING).cast(JSON),
        "score": pa.array([0.72017150, 1e-7], pa.float32()),
        "scores": SCORES,
    }
)


def test_json_lines_are_what_json_reads_back() -> None:
    first, second = map(json.loads, Form("jsonl").encode(TABLE, header=True).decode().split("\n")[:-1])
    assert first == {
        "id": 1,
        "text": 'He said "no",\nand\tleft \u2028 \x01',
        "flag": True,
        "day": "2026-11-28",
        "price": None,
        "tags": ["a", "b"],
        "extra": {"k": [1, None]},
        "score": 0.7201715,
        "scores": {"no": 0.25, 'y"es': 0.75},
    }
    assert second["text"] == "好"
    assert second["extra"] == "plain"
    assert second["tags"] is None
    assert second["score"] == 1e-7


@pytest.mark.parametrize(("name", "separator"), [("csv", ","), ("tsv", "\t")])
def test_delimited_parts_join_to_one_file(name: str, separator: str) -> None:
    form = Form(name)
    content = form.encode(TABLE, header=True) + form.encode(TABLE, header=False)
    options = pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    table = pa.csv.read_csv(io.BytesIO(content), parse_options=options)
    assert table.schema.names == [*TABLE.schema.names[:-1], "scores.no", 'scores.y"es']
    assert table.column("text").to_pylist() == TABLE.column("text").to_pylist() * 2
    assert table.column("tags").to_pylist() == ['["a","b"]', "", '["a","b"]', ""]
    assert table.column("extra").to_pylist()[:2] == ['{"k": [1, null]}', "plain"]
    assert table.column("scores.no").to_pylist() == pytest.approx([0.25, 0.1] * 2)


def test_parquet_keeps_types_and_has_json_as_text() -> None:
    table = pq.read_table(io.BytesIO(Form("parquet").encode(TABLE, header=True)))
    kept = [name for name in TABLE.schema.names if name not in ("extra", "price")]
    assert table.select(kept).equals(TABLE.select(kept))
    assert table.column("extra").to_pylist() == ['{"k": [1, null]}', "plain"]


@pytest.mark.parametrize("name", ["parquet", "csv", "jsonl"])
def test_parts_are_joined_in_order(name: str) -> None:
    form, sink = Form(name), io.BytesIO()
    parts = [TABLE.select(["id", "text"]).slice(row, 1) for row in range(2)]
    form.join([io.BytesIO(form.of_parts.encode(part, header=place == 0)) for place, part in enumerate(parts)], sink)
    whole = form.encode(TABLE.select(["id", "text"]), header=True)
    if name == "parquet":
        assert pq.read_table(io.BytesIO(sink.getvalue())).equals(pq.read_table(io.BytesIO(whole)))
        assert pq.read_metadata(io.BytesIO(sink.getvalue())).num_row_groups == 2
    else:
        assert sink.getvalue() == whole


@pytest.mark.parametrize(("packing", "unpack"), [(".gz", gzip.decompress), (".zst", zstd.decompress)])
def test_packed_parts_join_to_one_packed_file(packing: str, unpack: Any) -> None:
    form = Form("jsonl", packing)
    part = form.encode(TABLE, header=True)
    assert unpack(part + part) == Form("jsonl").encode(TABLE, header=True) * 2


ODD = pa.table(
    {
        "view": pa.array(["a", None], pa.string_view()),
        "bytes": [b"\xff\x00", b"a"],
        "fixed": pa.array([b"\xff\x00", b"ab"], pa.binary(2)),
        "uuid": pa.array([b"0123456789abcdef"] * 2, pa.uuid()),
        "image": [{"bytes": b"\x89\xff", "path": "a.png"}] * 2,
        "kind": pa.array(["x", None], pa.string_view()).dictionary_encode(),
        "end": pa.array([10**15, None], pa.timestamp("ms")),
    }
)


def test_types_without_a_form_of_their_own_are_text() -> None:
    table = pa.csv.read_csv(io.BytesIO(Form("csv").encode(ODD, header=True)))
    of_csv = {name: column[0].as_py() for name, column in zip(table.schema.names, table.columns, strict=True)}
    expected = {"view": "a", "bytes": "/wA=", "fixed": "/wA=", "uuid": "30313233-3435-3637-3839-616263646566"}
    expected |= {"kind": "x", "end": "<value out of range: 1000000000000000>"}
    assert of_csv == expected | {"image.bytes": "if8=", "image.path": "a.png"}
    of_json = json.loads(Form("jsonl").encode(ODD, header=True).split(b"\n")[0])
    assert of_json == expected | {"image": {"bytes": "if8=", "path": "a.png"}}


def test_json_lines_hold_no_number_that_is_none_in_json() -> None:
    column = pa.array(["NaN", '{"a": [Infinity, 1]}', '"NaN"'], STRING).cast(JSON)
    lines = Form("jsonl").encode(pa.table({"x": column}), header=True)
    assert lines == b'{"x":null}\n{"x":{"a": [null, 1]}}\n{"x":"NaN"}\n'


def test_a_type_that_the_format_has_no_form_for_is_refused_before_anything_is_computed() -> None:
    kept = pa.schema([("text", pa.string()), ("nothing", pa.struct([]))])
    cause = "column 'nothing' holds struct<>, which parquet has no form for; choose another format, or name with --keep"
    with pytest.raises(BulkError, match=cause):
        Form("parquet").check(kept)
    Form("jsonl").check(kept)


def test_no_rows_are_no_lines() -> None:
    assert Form("jsonl").encode(TABLE.slice(0, 0), header=True) == b""


@pytest.mark.parametrize(
    ("output", "asked", "form"),
    [
        ("a/b.parquet", None, Form("parquet")),
        ("scored.v2.csv.gz", None, Form("csv", ".gz")),
        ("s3://bucket/scored.ndjson", None, Form("jsonl")),
        ("out/", "tsv.zst", Form("tsv", ".zst")),
        ("OUT.CSV", None, Form("csv")),
    ],
)
def test_the_ending_or_the_option_says_the_format(output: str, asked: str | None, form: Form) -> None:
    assert form_of(output, asked) == form


@pytest.mark.parametrize(
    ("output", "asked", "cause"),
    [
        ("out/", None, "out/ does not say the format"),
        ("scored.xlsx", None, "end it in .parquet, .csv, .tsv or .jsonl"),
        ("scored.parquet.gz", None, "Parquet is compressed inside"),
        ("scored.csv", "excel", "or add --format"),
    ],
)
def test_other_formats_are_refused(output: str, asked: str | None, cause: str) -> None:
    with pytest.raises(BulkError, match=cause):
        form_of(output, asked)
