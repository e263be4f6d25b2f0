from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pytest

from tables.reader import read_batches, read_columns
from tests.tables.samples import BOTH, error_of, values, write

TABLE = pa.table(
    {
        "text": pa.array(["Fine\nroom", "去过", "no", None]),
        "label": pa.array(["pos", "neg", "neg", "pos"]).dictionary_encode(),
        "n": [1, 2, 3, 4],
    }
)


def as_file(path: Path, table: pa.Table = TABLE) -> Path:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    return path


def as_stream(path: Path) -> Path:
    with pa.ipc.new_stream(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=3)
    return path


def test_arrow_files_streams_and_feather_are_read_whatever_their_name(tmp_path: Path) -> None:
    pyarrow.feather.write_feather(TABLE, str(tmp_path / "a.feather"), compression="zstd")
    for path in (as_file(tmp_path / "a.csv"), as_stream(tmp_path / "a.arrow"), tmp_path / "a.feather"):
        assert values(path) == {"text": ["Fine\nroom", "去过", "no", None], "label": ["pos", "neg", "neg", "pos"]}


def test_a_large_batch_of_the_file_comes_in_pieces_that_know_their_rows(tmp_path: Path) -> None:
    batches = list(read_batches(as_file(tmp_path / "a.arrow"), ["n"], batch_rows=3))
    assert [batch.values("n") for batch in batches] == [[1, 2, 3], [4]]
    assert [row.number for batch in batches for row in batch.rows] == [1, 2, 3, 4]


def test_what_was_read_is_said(tmp_path: Path) -> None:
    path = as_stream(tmp_path / "a.arrow")
    assert read_columns(path, BOTH)[0].readings[0].describe() == f"{path}: 4 rows; Arrow stream"


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("cut.arrow", None, "not a valid Arrow file"),
        ("old.feather", b"FEA1" + bytes(99), "is Feather of version 1; write it anew, with version 2"),
        ("other.arrow", b"\xfe\xfdnone", "is damaged: it does not begin like a .arrow file"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, name: str, content: bytes | None, cause: str) -> None:
    whole = as_file(tmp_path / "whole").read_bytes()
    assert cause in error_of(write(tmp_path / name, whole[: len(whole) // 2] if content is None else content)).cause


def test_a_name_that_two_columns_have_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "label", "label"])
    assert str(error_of(as_file(tmp_path / "a.arrow", table))).endswith("column 'label': two columns have this name")
