from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.training.choose import curve, read_results, table

POOL = pa.table({"text": [f"text {number}" for number in range(10)], "label": ["a", "b"] * 5})
HELD = pa.table({"text": ["x", "y", "z", "w"], "label": ["a", "b", "b", "c"]})


def test_each_size_adds_rows_and_an_unknown_label_counts_as_wrong() -> None:
    seen: list[list[str]] = []

    def fit(rows: pa.Table, held: pa.Table, folder: Path, seed: int) -> float:
        assert folder.is_dir()
        seen.append(rows["text"].to_pylist())
        return 0.8

    assert curve(POOL, HELD, "random", [2, 5, 6], 0, fit) == [pytest.approx(0.6)] * 3
    assert [len(texts) for texts in seen] == [2, 5, 6]
    assert len(set(seen[-1])) == 6
    assert seen[0] == seen[-1][:2]


def test_the_table_has_means_of_seeds(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        '{"set": "s", "method": "random", "size": 2, "seed": 0, "figure": 0.5}\n'
        '{"set": "s", "method": "random", "size": 2, "seed": 1, "figure": 0.6}\n'
    )
    assert table(read_results(path), [2, 5]).splitlines()[-1] == "| s | random | 55.0 |  |"
