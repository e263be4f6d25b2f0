from pathlib import Path

import pyarrow as pa
import pytest

from tables.batch import JSON, STRING, python_values
from tables.errors import TableError
from tables.parquet import write_parquet
from tables.reader import read_batches
from tables.reading import Reading
from tests.tables.samples import write

FIVE = ["a", "b", "c", "d", "e"]


def files(folder: Path) -> dict[str, Path]:
    write_parquet(folder / "a.parquet", {"text": FIVE})
    return {
        "csv": write(folder / "a.csv", "text\n" + "\n\n".join(FIVE)),
        "json": write(folder / "a.jsonl", "\n\n".join(f'{{"text": "{text}"}}' for text in FIVE)),
        "parquet": folder / "a.parquet",
    }


@pytest.mark.parametrize(
    ("format_name", "kind", "lines"),
    [("csv", STRING, [2, 4, 6, 8, 10]), ("json", JSON, [1, 3, 5, 7, 9]), ("parquet", pa.string(), None)],
)
def test_every_format_comes_in_batches_of_one_type_that_know_their_rows(
    tmp_path: Path, format_name: str, kind: pa.DataType, lines: list[int | None] | None
) -> None:
    batches = list(read_batches(files(tmp_path)[format_name], ["text"], batch_rows=2))
    assert [len(batch.records) for batch in batches] == [2, 2, 1]
    assert {batch.records.schema.field("text").type for batch in batches} == {kind}
    assert [value for batch in batches for value in batch.values("text")] == FIVE
    assert [row.number for batch in batches for row in batch.rows] == [1, 2, 3, 4, 5]
    found: list[int | None] = [row.line for batch in batches for row in batch.rows]
    assert found == ([None] * 5 if lines is None else lines)


def test_rows_are_read_before_the_end_of_the_file_is(tmp_path: Path) -> None:
    """A file need not fit into memory, so what is wrong at its end is found at its end."""
    path = write(tmp_path / "a.csv", "text,n\n" + "a,1\n" * 4 + "a,b,c\n" * 2)
    batches = read_batches(path, ["text"], batch_rows=2)
    assert next(batches).values("text") == ["a", "a"]
    assert next(batches).values("text") == ["a", "a"]
    with pytest.raises(TableError, match=r"row 5 \(line 6\): 2 rows of 6 have more fields than the header's 2"):
        next(batches)


def test_a_file_of_a_header_has_no_batches(tmp_path: Path) -> None:
    assert list(read_batches(write(tmp_path / "a.csv", "text\n"), ["text"])) == []


FAR = 10**15
"""Milliseconds of the year 33658."""


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        ([0, None], pa.timestamp("us", "Mars/Base"), ["1970-01-01 00:00:00.000000", None]),
        ([10**7], pa.date32(), ["29349-01-26"]),
        ([[FAR]], pa.list_(pa.timestamp("ms")), [[f"<value out of range: {FAR}>"]]),
        (
            [{"a": 1, "b": FAR}],
            pa.struct({"a": pa.int8(), "b": pa.timestamp("ms")}),
            [{"a": 1, "b": f"<value out of range: {FAR}>"}],
        ),
    ],
)
def test_a_time_that_python_has_no_type_for_is_text(
    values: list[object], kind: pa.DataType, found: list[object]
) -> None:
    assert python_values(pa.array(values, kind)) == found


def test_columns_that_are_not_read_are_told(tmp_path: Path) -> None:
    """pandas writes its index without a name, and a join leaves two columns of one name."""
    readings: list[Reading] = []
    (batch,) = read_batches(write(tmp_path / "a.csv", ",text,id,id\n0,a,1,2\n"), None, readings=readings)
    assert batch.records.schema.names == ["text", "id"]
    assert readings[0].remarks == [
        "1 column without a name left out",
        "of several columns called 'id' the first is read",
    ]


def test_a_number_of_32_bits_is_the_one_that_was_written() -> None:
    """A label or text of a Parquet file is the same as in the CSV file that it was made from."""
    values = python_values(pa.array([0.1, 4.0, None, float("nan"), 1e-7], pa.float32()))
    assert values[:3] == [0.1, 4.0, None]
    assert str(values[3:]) == "[nan, 1e-07]"
