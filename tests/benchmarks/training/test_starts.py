from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks.training.starts import Cell, draw, main, read_results, table
from tables.parquet import write_parquet

SMALL = [
    *("--set", "architecture.hidden_size=4", "--set", "architecture.embedding_dim=4", "--set", "loop.epochs=2"),
    *("--set", "loop.min_steps=5", "--set", "tokenizer.vocab_size=600"),
]


def write_set(folder: Path, rows: int, *, validation: int = 0) -> Path:
    for name, count in (("train", rows), ("validation", validation)):
        if count:
            texts = [f"{('good', 'bad')[i % 2]} film {name} {i}" for i in range(count)]
            write_parquet(folder / f"{name}.parquet", {"text": texts, "label": ["pn"[i % 2] for i in range(count)]})
    return folder


def test_rows_differ_by_seed_and_validation_stays(tmp_path: Path) -> None:
    folder = write_set(tmp_path, 100)
    (first, held), (second, again) = draw(folder, 10, 0), draw(folder, 10, 1)
    assert (len(first), len(held)) == (10, 20)
    assert first != second
    assert held == again
    everything = draw(folder, 0, 3)[0]
    assert sorted(everything["text"].to_pylist() + held["text"].to_pylist()) == sorted(
        pq.read_table(folder / "train.parquet")["text"].to_pylist()
    )
    own = draw(write_set(tmp_path / "own", 10, validation=5), 0, 0)
    assert [len(part) for part in own] == [10, 5]


def test_the_table_has_means_and_half_the_range() -> None:
    cells = [Cell("subj", start, 300, seed) for start in ("none", "runs/encoder") for seed in (0, 1)]
    results = dict(zip(cells, (0.7, 0.8, 0.9, 0.9), strict=True))
    assert list(table(results, cells)) == [
        "| set | rows | none | encoder |",
        "| --- | ---: | ---: | ---: |",
        "| subj | 300 | 75.0 ± 5.0 | 90.0 ± 0.0 |",
        "| mean | 300 | 75.0 | 90.0 |",
    ]
    assert list(table({}, cells[:1]))[2:] == ["| subj | 300 | - |", "| mean | 300 | - |"]


def test_a_finished_cell_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "data" / "films", 80)
    results = tmp_path / "results.jsonl"
    call = ["films", "--data", str(tmp_path / "data"), "--rows", "40", "--seeds", "2", "--results", str(results)]
    first = CliRunner().invoke(main, [*call, *SMALL], catch_exceptions=False)
    assert "| films | 40 |" in first.output
    assert len(read_results(results)) == 2
    assert all(0 < accuracy <= 1 for accuracy in read_results(results).values())
    monkeypatch.setattr("benchmarks.training.starts.measure", lambda *_: np.nan)
    second = CliRunner().invoke(main, [*call, *SMALL], catch_exceptions=False)
    assert second.stdout.splitlines()[-3:] == first.stdout.splitlines()[-3:]
