"""Fitting the head before the layers below it move."""

from pathlib import Path

import pytest
from click.testing import Result

import training.runs.heads
from tests.training.runs.test_train import session
from training.config.request import CallOptions
from training.linear.probe import pooled_states
from training.runs.train import begin, first_step


def test_a_head_is_fitted_and_chosen_on_a_few_texts_however_many_there_are(
    imitating: tuple[Path, Result], reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def counted(network, rows, device):  # type: ignore[no-untyped-def]
        sizes.append(len(rows))
        return pooled_states(network, rows, device)

    monkeypatch.setattr(training.runs.heads, "pooled_states", counted)
    monkeypatch.setattr(training.runs.heads, "ENOUGH", 5)
    call = CallOptions(
        output=tmp_path / "m", data_root=reviews, train_file=reviews / "train.csv", adapt=True, start=imitating[0],
        settings=("data.folds=0", "loop.epochs=1"),
    )  # fmt: skip
    run = begin(call.request(), session(tmp_path / "m"))
    assert len(run.corpus.train) > 5 < len(run.corpus.stopping)
    first_step(run)
    assert sizes == [10]
