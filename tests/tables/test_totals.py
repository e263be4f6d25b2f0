import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tables.sources import Part
from tables.totals import count_rows


def parts(*paths: Path) -> list[Part]:
    return [Part(path, path) for path in paths]


def test_rows_of_parquet_and_lines_of_text_are_counted(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("text\na\nb\n")
    assert count_rows(parts(tmp_path / "a.parquet")) == 2
    assert count_rows(parts(tmp_path / "a.parquet", tmp_path / "b.csv")) == 5


@pytest.mark.parametrize("content", [gzip.compress(b"a\nb\n", mtime=0), b"PAR1 and no more", b"\xff\xfea\0"])
def test_other_files_are_not_read_for_their_rows(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert count_rows(parts(tmp_path / "a")) is None


def test_what_is_not_there_has_no_total() -> None:
    assert count_rows(parts(Path("gone.csv"))) is None
