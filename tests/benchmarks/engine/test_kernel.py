"""Workers time the shapes in turns, and the tables show each contender's median beside the last one's."""

import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.engine import kernel, kernel_worker
from benchmarks.engine.kernel import Contender
from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import Architecture, CheckpointConfig
from model.engine.cpu import PORTABLE, VARIANT_VARIABLE, library
from model.network import RecurrentClassifier, to_arrays
from tests.conftest import make_checkpoint

WORKER = """
import os, sys
checkout, checkpoint, rows = sys.argv[1:]
for line in sys.stdin:
    with open(rows + ".order", "a") as order:
        order.write(f"{os.path.basename(checkout)} {line}")
    print(len(os.environ.get("VARIANT", "")) + checkout.count("other") * 100, flush=True)
"""
"""Gives the length of the variant's name as its time, and a hundred more for the other checkout."""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(WORKER.replace("VARIANT", VARIANT_VARIABLE), "utf-8")
    monkeypatch.setattr(kernel, "WORKER", path)
    monkeypatch.delenv(VARIANT_VARIABLE, raising=False)
    return path


def test_drawn_rows_are_the_same_each_time_and_within_the_vocabulary() -> None:
    rows = kernel.drawn(50, 3, 20)
    assert [row.shape for row in rows] == [(20,)] * 3
    assert all(row.dtype == np.int32 and row.min() >= 0 and row.max() < 50 for row in rows)
    assert np.array_equal(np.concatenate(rows), np.concatenate(kernel.drawn(50, 3, 20)))
    assert len({row.tobytes() for row in rows}) == 3


def test_shapes_are_written_with_the_lengths_of_their_rows(tiny_checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "set" / "texts.txt"
    file.parent.mkdir()
    file.write_text("a good and charming film\nbad\n\n", "utf-8")
    names = kernel.write_rows(tiny_checkpoint, (file,), 10, tmp_path / "rows.npz")
    assert names == [*kernel.SHAPES, "set texts"]
    written = np.load(tmp_path / "rows.npz")
    for name, (texts, tokens) in kernel.SHAPES.items():
        assert written[f"{name}.lengths"].tolist() == [tokens] * texts
        assert len(written[name]) == texts * tokens
    lengths = written["set texts.lengths"].tolist()
    assert lengths == sorted(lengths)
    assert len(written["set texts"]) == sum(lengths) > 0


def test_workers_take_turns_and_the_first_round_is_left_out(worker: Path, tmp_path: Path) -> None:
    contenders = [Contender(tmp_path / "one", tmp_path, "ab"), Contender(tmp_path / "other", tmp_path, None)]
    found = kernel.measure(contenders, tmp_path / "rows", ["x", "y"], rounds=2)
    assert found == {shape: [[2.0, 2.0], [100.0, 100.0]] for shape in ("x", "y")}
    order = (tmp_path / "rows.order").read_text("utf-8").splitlines()
    assert order == [f"{name} {shape}" for shape in "xy" for _ in range(3) for name in ("one", "other")]


def test_the_table_compares_with_the_last_row(worker: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    options = ["--checkpoint", str(tiny_checkpoint), "--variant", "a" * 50, "--against", str(tmp_path / "other")]
    done = CliRunner().invoke(kernel.main, [*options, "--rounds", "1"], catch_exceptions=False)
    assert "H 6" in done.output
    rows = [line for line in done.output.splitlines() if "64 of 25 tokens" in line]
    assert len(rows) == 2
    assert "50 (50 to 50)" in rows[0]
    assert "0.50" in rows[0]
    assert "100 (100 to 100)" in rows[1]


def test_another_network_is_timed_with_weights_of_its_own(worker: Path, tiny_checkpoint: Path) -> None:
    with kernel.changed(tiny_checkpoint, "num_layers=2,cell=gru,hidden_size=16") as folder:
        made = load_checkpoint(folder)
    assert (made.config.architecture.cell, made.config.architecture.num_layers) == ("gru", 2)
    assert made.weights["layers.1.0.weight_hh"].shape == (48, 16)
    options = ["--checkpoint", str(tiny_checkpoint), "--variant", "a" * 50, "--pytorch", "--rounds", "1"]
    done = CliRunner().invoke(kernel.main, [*options, "--network", "cell=gru"], catch_exceptions=False)
    assert "H 6 cell=gru" in done.output
    rows = [line for line in done.output.splitlines() if "64 of 25 tokens" in line]
    assert ["pytorch" in row for row in rows] == [False, True]


@pytest.mark.skipif(library() is None, reason="the library is not built: python -m model.engine.build")
@pytest.mark.parametrize("variant", [PORTABLE, kernel.PYTORCH])
def test_the_worker_gives_a_figure_for_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variant: str
) -> None:
    made = make_checkpoint()
    architecture = Architecture(vocab_size=made.tokenizer.get_vocab_size(), embedding_dim=8, hidden_size=16)
    config = CheckpointConfig(labels=made.config.labels, max_tokens=32, temperature=1, architecture=architecture)
    weights = to_arrays(RecurrentClassifier(architecture, 2).weights())
    save_checkpoint(tmp_path / "model", replace(made, config=config, weights=weights))
    rows = {"two": np.arange(5, dtype=np.int32), "two.lengths": np.array([2, 3])}
    np.savez(tmp_path / "rows.npz", **rows)  # type: ignore[arg-type]  # numpy's stub takes the names for its options
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["worker", str(kernel.ROOT), str(tmp_path / "model"), str(tmp_path / "rows.npz")])
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\ntwo\n"))
    monkeypatch.setattr(kernel_worker, "LEAST_S", 0)
    monkeypatch.setenv(VARIANT_VARIABLE, variant)
    kernel_worker.main()
    assert [float(line) > 0 for line in capsys.readouterr().out.splitlines()] == [True, True]
