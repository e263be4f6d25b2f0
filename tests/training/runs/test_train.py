from pathlib import Path

import pytest
from rich.console import Console

import training.data.corpus
import training.runs.train
from training.artifacts.run_folder import RunFolder
from training.config.request import CallOptions, Request, new_request
from training.fit.trainer import Trainer
from training.runs.train import Every, fit, prepare


def request(reviews: Path, *settings: str) -> Request:
    tiny = ("tokenizer.vocab_size=600", "architecture.hidden_size=4", "architecture.embedding_dim=4", "loop.epochs=1")
    train_file = reviews / "train.csv"
    return new_request(
        CallOptions(output=Path("m"), data_root=reviews, train_file=train_file, settings=(*tiny, *settings))
    )


def prepared(reviews: Path, run: RunFolder, *settings: str) -> Trainer:
    quiet = Console(quiet=True)
    return prepare(request(reviews, *settings), run, resume=False, device="cpu", console=quiet).trainer


def test_every() -> None:
    now, done = [0.0], []
    act = Every(10.0, lambda: done.append(now[0]), clock=lambda: now[0])
    for seconds in (5.0, 9.9, 10.0, 15.0, 20.0, 29.0):
        now[0] = seconds
        act()
    assert done == [10.0, 20.0]


def test_the_state_is_saved_in_time_and_at_the_end(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "m")
    trainer = prepared(reviews, run, "loop.batch_rows=16")
    saved: list[Path] = []
    monkeypatch.setattr(training.runs.train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trainer, "save_state", saved.append)
    assert fit(trainer, run, metric="accuracy", console=Console(quiet=True))
    assert saved == [run.path] * (trainer.total_steps + 1)


def test_only_the_stopping_half_of_validation_picks_the_weights(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.data.corpus, "ENOUGH_TO_HALVE", 10)
    ready = prepare(
        request(reviews), RunFolder(tmp_path / "m"), resume=False, device="cpu", console=Console(quiet=True)
    )
    assert (len(ready.corpus.stopping), len(ready.corpus.calibration)) == (6, 6)
    assert len(ready.trainer.validation.targets) == 6


def test_the_seed_decides_the_first_weights(reviews: Path, tmp_path: Path) -> None:
    weights = [
        prepared(reviews, RunFolder(tmp_path / f"m{i}"), f"seed={seed}").network.head.weight.detach().clone()
        for i, seed in enumerate((1, 1, 2))
    ]
    assert (weights[0] == weights[1]).all()
    assert not (weights[0] == weights[2]).any()
