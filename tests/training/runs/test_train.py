"""Preparation of a run: the split of the data, the first weights, and refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import training.data.corpus
from training.config.request import CallOptions, Request
from training.errors import UsageError
from training.fit.parallel import ALONE, Processes
from training.fit.trainer import Trainer
from training.runs.session import Session
from training.runs.train import begin, first_step, train


def request(reviews: Path, *settings: str) -> Request:
    tiny = ("tokenizer.vocab_size=600", "architecture.hidden_size=4", "architecture.embedding_dim=4", "loop.epochs=1")
    train_file = reviews / "train.csv"
    settings = (*tiny, *settings)
    return CallOptions(output=Path("m"), data_root=reviews, train_file=train_file, settings=settings).request()


def session(output: Path, processes: Processes = ALONE) -> Session:
    return Session(output=output, device="cpu", console=Console(quiet=True), processes=processes)


def prepared(reviews: Path, output: Path, *settings: str) -> Trainer:
    return first_step(begin(request(reviews, *settings), session(output)))


def test_only_the_stopping_half_of_validation_picks_the_weights(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.data.corpus, "ENOUGH_TO_HALVE", 10)
    run = begin(request(reviews), session(tmp_path / "m"))
    trainer = first_step(run)
    assert (len(run.corpus.stopping), len(run.corpus.calibration)) == (6, 6)
    assert len(trainer.validation.targets) == 6


def test_the_seed_decides_the_first_weights(reviews: Path, tmp_path: Path) -> None:
    weights = [
        prepared(reviews, tmp_path / f"m{i}", f"seed={seed}").network.head.weight.detach().clone()
        for i, seed in enumerate((1, 1, 2))
    ]
    assert (weights[0] == weights[1]).all()
    assert not (weights[0] == weights[2]).any()


def test_folds_that_one_process_began_are_refused_to_several(reviews: Path, tmp_path: Path) -> None:
    several = replace(session(tmp_path / "m", Processes(0, 2)), resume=True)
    with pytest.raises(UsageError, match="began with 5 folds, each with a network that one process trains"):
        train(request(reviews, "data.folds=5"), several)


def test_terms_of_a_whole_step_are_refused_to_several_processes(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be split among processes"):
        train(request(reviews, "semi.entropy=1"), session(tmp_path / "m", Processes(0, 2)))
    assert list(tmp_path.iterdir()) == []
