from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.lib.rows import write_rows


def test_rows_are_drawn_from_the_texts_and_numbered(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", " ", "b"]}), tmp_path / "a.parquet")
    assert write_rows(tmp_path / "a.parquet", "text", 1000, tmp_path / "b.parquet") == ["a", "b"]
    rows = pq.read_table(tmp_path / "b.parquet")
    assert rows.column("id").to_pylist() == list(range(1000))
    assert set(rows.column("text").to_pylist()) == {"a", "b"}
