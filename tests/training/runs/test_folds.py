"""Training and validating on every text, from the shipped encoder."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from rich.console import Console
from safetensors.torch import load_file

from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from tests.training.conftest import draw_rows
from training.artifacts.record import Record
from training.config.layers import ENCODER
from training.config.request import CallOptions
from training.errors import UsageError
from training.runs.folds import Fold, between, describe_way
from training.runs.session import Session
from training.runs.train import train


class StopAfter:
    """A request to stop that is true from the given question on; entered anew for each fold."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> "StopAfter":
        return self

    def __enter__(self) -> "StopAfter":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __bool__(self) -> bool:
        self.left -= 1
        return self.left < 0


def run(start: Path, folder: Path, output: Path, *settings: str, **around: object) -> Record | None:
    call = CallOptions(
        output=output, data_root=folder, train_file=folder / "train.csv", test=folder / "test.csv", adapt=True,
        start=start, settings=("loop.epochs=3", "data.folds=3", "report=false", *settings),
    )  # fmt: skip
    around = {"console": Console(quiet=True)} | around
    session = Session(output=output, device="cpu", **around)  # type: ignore[arg-type]
    return train(call.request() if not session.resume else session.run.request(type(call.request())), session)


def test_a_stopped_run_goes_on_and_ends_where_an_undisturbed_one_does(
    imitating: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    start = imitating[0]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    console = Console(record=True, file=io.StringIO(), width=200)
    record = run(start, reviews, whole, console=console)
    assert record is not None
    lines = console.export_text().splitlines()
    assert [re.sub(r"\d\.\d+", "#", line) for line in lines if line.startswith(("texts", "fold"))] == [
        "texts: train 120, validation the same by folds, test 60; 2 labels, single-label",
        *(f"fold {number} of 3  training loss #  validation accuracy #" for number in (1, 2, 3)),
    ]
    assert not [line for line in lines if line.startswith("epoch")]
    assert run(start, reviews, parts, interrupt=StopAfter(40)) is None
    folder = Session(output=parts, console=Console(quiet=True)).run.path
    assert [path.name for path in sorted(folder.glob("fold-*"))] == ["fold-0.safetensors", "fold-1"]
    assert run(start, reviews, parts, resume=True) is not None
    first, second = (load_file(path / "model.safetensors") for path in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not folder.exists()

    assert record.data["validation"].rows == record.data["train"].rows == 120
    assert record.evaluations["test"].scores.accuracy > 0.9
    assert record.start is not None
    assert record.start.name == "encoder"
    assert record.config["data.folds"] == 3
    assert record.effort.best_epoch == record.effort.epochs == 3
    assert [reading["epoch"] for reading in record.effort.history] == [1, 2, 3]
    assert not [warning for warning in record.warnings if "best at the very end" in warning]
    card = load_checkpoint(whole).card
    assert "Validation is by cross-validation: each training text was judged by the one of 3 networks" in card
    assert "Validation chose the weights" not in card


def test_the_settings_beside_the_checkpoint_repeat_the_run(
    imitating: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    assert run(imitating[0], reviews, tmp_path / "first", "loop.epochs=1") is not None
    settings = tmp_path / "first.train_config.toml"
    again = CallOptions(output=tmp_path / "again", data_root=reviews, config_file=settings, adapt=True)
    assert train(again.request(), Session(output=again.output, device="cpu", console=Console(quiet=True))) is not None
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "again"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (tmp_path / "again.train_config.toml").read_bytes() == settings.read_bytes()


def test_the_validation_scores_are_of_networks_that_had_not_seen_the_text(
    imitating: tuple[Path, Result], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{text},{rng.choice(['x', 'y'])}" for text, _ in draw_rows(60, 3)]
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    record = run(imitating[0], tmp_path, tmp_path / "m", "loop.epochs=20")
    assert record is not None
    seen = Classifier.load(tmp_path / "m", device="cpu")
    assert record.evaluations["validation"].scores.accuracy < 0.7 < record.evaluations["test"].scores.accuracy
    assert seen.labels == ("x", "y")


def test_a_damaged_fold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fold-0.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"fold-0\.safetensors: the saved fold is damaged .*--overwrite"):
        Fold.load(path)


def test_a_share_of_the_way() -> None:
    before, after = {"w": torch.zeros(2)}, {"w": torch.tensor([2.0, 4.0])}
    assert between(before, after, 0.5)["w"].tolist() == [1, 2]
    assert between(before, after, 1)["w"].tolist() == [2, 4]


def test_the_way_is_described() -> None:
    assert describe_way(5, [0.5, 0.6, 0.7, 0.8, 0.9], 0) == (
        "layers stay as they began, with a head fitted to all texts: validation loss 0.5000, 0.9000 with networks of "
        "5 folds as they ended"
    )
    assert describe_way(3, [0.5, 0.4, 0.3, 0.4, 0.5], 2) == (
        "3 networks averaged, 50% of the way from the start: validation loss 0.3000, 0.5000 with layers as they "
        "began, 0.5000 as they ended"
    )
    assert describe_way(3, [0.5, 0.4, 0.3, 0.2, 0.1], 4) == (
        "3 networks averaged: validation loss 0.1000, 0.5000 with layers as they began"
    )


def test_the_encoder_is_there() -> None:
    assert (ENCODER / "model.safetensors").is_file()
