from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tables.parquet import write_parquet
from tests.tables.samples import error_of, rows, values, write


def test_values_are_read_with_their_rows_and_without_lines(tmp_path: Path) -> None:
    labels = pa.array(["x", "y"]).dictionary_encode()
    pq.write_table(pa.table({"text": ["a", "b"], "label": labels, "n": [1, 2]}), tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet") == {"text": ["a", "b"], "label": ["x", "y"]}
    assert rows(tmp_path / "a.parquet") == ["row 1", "row 2"]


def test_unusable_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"review": ["a"], "label": ["x"]}), tmp_path / "a.parquet")
    assert error_of(tmp_path / "a.parquet").cause == "no column 'text'; the file has 'review', 'label'"
    twice = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["text", "label", "label"])
    pq.write_table(twice, tmp_path / "b.parquet")
    assert error_of(tmp_path / "b.parquet").cause == "two columns have this name"
    assert "not a valid Parquet file" in error_of(write(tmp_path / "c.parquet", b"PAR1 not really")).cause


def test_columns_are_written_into_a_folder_that_was_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.parquet"
    write_parquet(path, {"text": ["a", "四"], "label": [["x"], []]})
    assert values(path) == {"text": ["a", "四"], "label": [["x"], []]}
