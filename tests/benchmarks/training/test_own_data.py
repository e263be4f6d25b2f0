from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks.training.own_data import Cell, cells_of, draw, main, read_results
from tables.parquet import write_parquet

SMALL = [
    *("--set", "architecture.hidden_size=4", "--set", "architecture.embedding_dim=4", "--set", "loop.epochs=2"),
    *("--set", "loop.min_steps=5", "--set", "tokenizer.vocab_size=600"),
]


def write_set(folder: Path, rows: int, **others: int) -> Path:
    for name, count in {"train": rows, **others}.items():
        texts = [f"{('good', 'bad')[i % 2]} film {name} {i}" for i in range(count)]
        write_parquet(folder / f"{name}.parquet", {"text": texts, "label": ["pn"[i % 2] for i in range(count)]})
    return folder


def test_rows_differ_by_seed_and_held_out_texts_stay(tmp_path: Path) -> None:
    folder = write_set(tmp_path, 100)
    (first, held), (second, again) = draw(folder, 10, 0), draw(folder, 10, 1)
    assert (len(first), len(held)) == (10, 20)
    assert first != second
    assert held == again
    everything = draw(folder, 0, 3)[0]
    assert sorted(everything["text"].to_pylist() + held["text"].to_pylist()) == sorted(
        pq.read_table(folder / "train.parquet")["text"].to_pylist()
    )
    own = write_set(tmp_path / "own", 10, validation=5, test=7)
    assert [len(part) for part in draw(own, 0, 0)] == [10, 5]
    assert [len(part) for part in draw(own, 4, 0, "test")] == [4, 7]


def test_all_rows_are_fitted_once_and_settings_are_those_of_train() -> None:
    cells = cells_of(["subj"], ["train", "tfidf"], [100, 0], 2, "test", ["loop.epochs=2"])
    assert [(cell.method, cell.rows, cell.seed) for cell in cells] == [
        *(("train", 100, 0), ("tfidf", 100, 0), ("train", 100, 1), ("tfidf", 100, 1)),
        *(("train", 0, 0), ("tfidf", 0, 0)),
    ]
    assert {cell.method: cell.settings for cell in cells} == {"train": ("loop.epochs=2",), "tfidf": ()}


def test_a_finished_cell_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "data" / "films", 80)
    results = tmp_path / "results.jsonl"
    call = ["films", "--data", str(tmp_path / "data"), "--rows", "40", "--seeds", "1", "--results", str(results)]
    call += ["--method", "train", "--method", "nbsvm"]
    first = CliRunner().invoke(main, [*call, *SMALL], catch_exceptions=False)
    assert "| films | 40 |" in first.output
    assert len(found := read_results(results)) == 2
    assert all(0 < figure <= 1 for figure in found.values())
    assert found[Cell("films", "nbsvm", 40, 0)] == 1
    monkeypatch.setattr("benchmarks.training.own_data.measure", lambda *_: np.nan)
    second = CliRunner().invoke(main, [*call, *SMALL], catch_exceptions=False)
    assert second.stdout.splitlines()[-5:] == first.stdout.splitlines()[-5:]
