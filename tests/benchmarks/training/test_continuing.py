from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.training.continuing import halves, main, replayed
from tables.parquet import write_parquet

SMALL = [
    *("--set", "architecture.hidden_size=4", "--set", "architecture.embedding_dim=4", "--set", "loop.epochs=1"),
    *("--set", "loop.min_steps=5", "--set", "tokenizer.vocab_size=600", "--set", "data.folds=0"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = [f"{('good', 'bad', 'fair', 'odd')[i % 4]} film {i}" for i in range(200)]
    write_parquet(
        tmp_path / "data" / "films" / "train.parquet", {"text": texts, "label": ["gbfo"[i % 4] for i in range(200)]}
    )
    return tmp_path / "data" / "films"


def test_halves_share_no_label_or_all(folder: Path) -> None:
    drawn = halves(folder, 30, 0, "labels")
    old, new = set(drawn.old["label"].to_pylist()), set(drawn.new["label"].to_pylist())
    assert (len(drawn.old), len(drawn.new), len(old), len(new), old & new) == (30, 30, 2, 2, set())
    assert drawn.old_labels == old
    assert halves(folder, 30, 1, "labels").held == drawn.held
    few = replayed(drawn.old, 3)
    assert sorted(few["label"].to_pylist()) == sorted([*old] * 3)
    rows = halves(folder, 30, 0, "rows")
    assert set(rows.old["label"].to_pylist()) == set(rows.new["label"].to_pylist()) == rows.old_labels
    assert not set(rows.old["text"].to_pylist()) & set(rows.new["text"].to_pylist())


def test_each_method_has_a_row_of_figures(folder: Path) -> None:
    call = ["films", "--data", str(folder.parent), "--rows", "30", "--seeds", "1", "--replay", "3", *SMALL]
    lines = CliRunner().invoke(main, call, catch_exceptions=False).stdout.splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == [
        *("old", "at once", "continue, 3 of each old label", "drop, 3 of each old label"),
    ]
    assert lines[2].split("|")[4].strip() == "0.0"  # the old checkpoint knows none of the new labels
