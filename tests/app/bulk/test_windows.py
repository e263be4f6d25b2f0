from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.bulk.windows import WINDOW_BYTES, WINDOW_ROWS, read_windows
from tables.reading import Reading


def test_windows_hold_every_row_once(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [f"text {row}" for row in range(10_000)]}), tmp_path / "a.parquet")
    windows = list(read_windows([tmp_path / "a.parquet"], None, sheet=None, readings=[]))
    batches = [window.batch for window in windows if window.batch is not None]
    assert [len(batch.numbers) for batch in batches] == [WINDOW_ROWS, WINDOW_ROWS, 10_000 - 2 * WINDOW_ROWS]
    assert [number for batch in batches for number in batch.numbers.to_pylist()] == list(range(1, 10_001))


def test_long_texts_make_small_windows(tmp_path: Path) -> None:
    length = WINDOW_BYTES // 3
    pq.write_table(pa.table({"text": ["x" * length] * 8 + ["y" * (3 * length)]}), tmp_path / "a.parquet")
    windows = list(read_windows([tmp_path / "a.parquet"], None, sheet=None, readings=[]))
    batches = [window.batch for window in windows if window.batch is not None]
    assert sum(len(batch.numbers) for batch in batches) == 9
    assert all(batch.records.nbytes <= WINDOW_BYTES + 64 or len(batch.numbers) == 1 for batch in batches)


@pytest.mark.parametrize("last", ['{"text": "last"}', "{broken"])
def test_rows_that_cannot_be_read_come_with_their_window(tmp_path: Path, last: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "first"}}\n{{cut\n{last}\n')
    readings: list[Reading] = []
    windows = list(read_windows([path], None, sheet=None, readings=readings))
    bad = [row for window in windows for row in window.bad]
    assert [str(row.row) for row in bad] == ["row 2 (line 2)", "row 3 (line 3)"][: 1 + last.startswith("{broken")]
    assert bad[0].content == "{cut"
    assert bad[0].path == path
    texts = [text for window in windows if window.batch for text in window.batch.values("text")]
    assert texts == ["first", "last"][: 2 - last.startswith("{broken")]


def test_only_rows_that_cannot_be_read_after_the_last_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(['{"text": "a"}'] * WINDOW_ROWS + ["{"]))
    first, last = read_windows([path], None, sheet=None, readings=[])
    assert first.batch is not None
    assert not first.bad
    assert last.batch is None
    assert [row.row.number for row in last.bad] == [WINDOW_ROWS + 1]


def test_rows_with_too_many_fields_are_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,good\n2,bad,worse,2\n3,fine\n")
    (window,) = read_windows([path], None, sheet=None, readings=[])
    (bad,) = window.bad
    assert (bad.row.number, bad.row.line, bad.content) == (2, 3, ["2", "bad", "worse", "2"])
    assert bad.cause == "has 4 fields, but the header has 2"
