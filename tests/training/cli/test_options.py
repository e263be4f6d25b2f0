"""Options that several commands share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest
import torch
from click.testing import Result

from tests.training.cli.commands import call
from training.cli.options import limit_threads


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "quota", "threads", "of_tokenizer"),
    [(None, 64, 3, None), (None, 1, 1, "1"), (2, 64, 2, "2"), (2, 1, 2, "2")],
)
def test_threads_are_as_asked_or_within_the_quota(
    asked: int | None, quota: int, threads: int, of_tokenizer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: quota)
    limit_threads(asked)
    assert torch.get_num_threads() == threads
    assert os.environ.get("RAYON_NUM_THREADS") == of_tokenizer


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """A file whose columns are called neither text nor label."""
    rows = [f"{n},my parcel number {n} is late,{('late', 'lost')[n % 2]}\n" for n in range(40)]
    (tmp_path / "tickets.csv").write_text("id,message,category\n" + "".join(rows), encoding="utf-8")
    return tmp_path / "tickets.csv"


@pytest.mark.parametrize("command", ["mix", "leaks", "choose", "label", "embed", "sentences", "reference", "pretrain"])
def test_every_command_finds_the_column_of_the_texts(
    command: str, trained: tuple[Path, Result], tickets: Path, tmp_path: Path
) -> None:
    output, other = ("--output", tmp_path / "out.parquet"), tmp_path / "other.csv"
    other.write_text("body,id\nwhere is the invoice of last year,1\n", encoding="utf-8")
    model = trained[0] if command != "reference" else shutil.copytree(trained[0], tmp_path / "copy")
    tiny = ("architecture.embedding_dim=8", "architecture.hidden_size=8", "tokenizer.vocab_size=512", "loop.epochs=1")
    called = {
        "mix": (tickets, "--without", other, *output),
        "leaks": (tickets, "--held-out", other),
        "choose": (tickets, "--checkpoint", model, "--count", 2, "--but-not", other, *output),
        "label": (tickets, "--teacher", model, "--cache", tmp_path / "cache", *output),
        "embed": (model, tickets, other, *output),
        "sentences": (tickets, "--without", other, *output),
        "reference": (model, tickets, other),
        "pretrain": (tickets, "--without", other, *output, *(word for one in tiny for word in ("--set", one))),
    }
    result = call(command, *called[command])
    assert result.exit_code == 0, result.output
    assert "texts found in column 'message'" in result.output


@pytest.mark.parametrize("command", ["train", "pretrain", "distill", "teach", "average", "evaluate"])
def test_a_device_is_checked_before_anything_is_read_or_written(command: str, tmp_path: Path) -> None:
    none, output = tmp_path / "none", ("--output", tmp_path / "m")
    called = {
        "train": ("--train", none, *output),
        "pretrain": (none, *output),
        "distill": ("--train", none, "--teacher", none, *output),
        "teach": ("--encoder", none, "--train", none, "--validation", none, *output),
        "average": (none, *output),
        "evaluate": (none, none),
    }
    result = call(command, *called[command], "--device", "tpu")
    assert (result.exit_code, "device 'tpu' is not one of auto, cpu, cuda, cuda:N" in result.output) == (2, True)
    assert list(tmp_path.iterdir()) == []
