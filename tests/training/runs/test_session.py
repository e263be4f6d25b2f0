"""Saving in time, stopping and resuming, with the stop and the clock as parameters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.cli.commands import StopAfter
from training.config.request import CallOptions
from training.errors import UsageError
from training.fit.trainer import Trainer
from training.runs.session import Session
from training.runs.train import begin, first_step


def session(output: Path, **given: Callable[[], object] | float | bool) -> Session:
    return Session(output=output, device="cpu", console=Console(quiet=True), **given)  # type: ignore[arg-type]


def trainer(reviews: Path, around: Session) -> Trainer:
    settings = ("tokenizer.vocab_size=600", "architecture.hidden_size=4", "architecture.embedding_dim=4")
    call = CallOptions(
        output=around.output, data_root=reviews, train_file=reviews / "train.csv",
        settings=(*settings, "loop.epochs=1", "loop.batch_rows=16"),
    )  # fmt: skip
    return first_step(begin(call.request(), around))


def saves(reviews: Path, around: Session, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps after which the state is saved, in a run to its end."""
    fitted, steps = trainer(reviews, around), []
    monkeypatch.setattr(fitted, "save_state", lambda folder: steps.append(fitted._position.step))
    assert around.fit(fitted, metric="accuracy", summary="")
    return [*steps, fitted.total_steps]


def test_the_state_is_saved_in_time_and_at_the_end(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = saves(reviews, session(tmp_path / "a", save_every_s=0.0), monkeypatch)
    last = always[-1]
    assert always == [*range(1, last + 1), last, last]

    seconds = iter(range(0, 10_000, 2))  # each look at the clock is two seconds later, and a save costs one more look
    some = saves(reviews, session(tmp_path / "b", save_every_s=5.0, clock=lambda: float(next(seconds))), monkeypatch)
    assert some == [*range(3, last + 1, 3), last, last]
    assert saves(reviews, session(tmp_path / "c"), monkeypatch) == [last, last]


def test_a_stop_saves_the_state_and_a_resumed_session_goes_on(reviews: Path, tmp_path: Path) -> None:
    stopped = session(tmp_path / "m", interrupt=lambda: StopAfter(2))
    assert not stopped.fit(trainer(reviews, stopped), metric="accuracy", summary="")
    resumed = session(tmp_path / "m", resume=True)
    second = trainer(reviews, resumed)
    assert resumed.fit(second, metric="accuracy", summary="")
    assert second.history[-1]["step"] == second.total_steps
    state = resumed.run.path / "state.safetensors"
    of_another_version = state.read_bytes().replace(b"loss_steps", b"loss_stems")
    for content in (b"damaged", of_another_version):
        state.write_bytes(content)
        with pytest.raises(UsageError, match="the saved state is damaged"):
            resumed.fit(trainer(reviews, resumed), metric="accuracy", summary="")
