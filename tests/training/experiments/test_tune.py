"""The search as a person calls it: what is tried, what it leaves behind, and that the best settings are worth it."""

import json
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.training.conftest import TINY
from training.__main__ import main
from training.config.config import TrainConfig, build_config, read_toml
from training.errors import DivergedError
from training.experiments.halving import PlannedTrial, Trial
from training.experiments.tune import BEST, RESULTS, TABLE, Trials, with_settings
from training.experiments.tuning import Tuning

SPACE = """
[loop]
learning_rate = { low = 0.01, high = 0.03, log = true }
[dropouts]
embedding = [0.0, 0.2]
"""
FIXED = [word for pair in zip(TINY[::2], TINY[1::2], strict=True) if "learning_rate" not in pair[1] for word in pair]
Run = Callable[[Trials, PlannedTrial, Callable[[], bool]], Trial | None]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def arguments(reviews: Path, tmp_path: Path) -> list[object]:
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    files = ["--train", reviews / "train.csv", "--space", tmp_path / "space.toml", "--output", tmp_path / "out"]
    return ["tune", *files, *FIXED, "--device", "cpu"]


class Interrupted:
    """Runs trials, and presses Ctrl-C when `limit` of them are finished."""

    def __init__(self, run: Run, limit: int) -> None:
        self._run, self._limit, self.plans = run, limit, list[PlannedTrial]()

    def run(self, trials: Trials, plan: PlannedTrial, should_stop: Callable[[], bool]) -> Trial | None:
        trial = self._run(trials, plan, should_stop)
        self.plans.append(plan)
        if len(self.plans) == self._limit:
            signal.raise_signal(signal.SIGINT)
        return trial


Interrupt = Callable[[Run, int], Interrupted]


def fake_run(trials: Trials, plan: PlannedTrial, should_stop: Callable[[], bool]) -> Trial:
    """A trial of ten seconds that scores by its number."""
    score = 0.5 if plan.number == 0 else (plan.number * 7 % 10) / 10
    settings = trials.settings(plan.number)
    return Trial(number=plan.number, rung=plan.rung, epochs=1, settings=settings, score=score, seconds=10.0)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    def install(run: Run, limit: int) -> Interrupted:
        interrupted = Interrupted(run, limit)
        monkeypatch.setattr(Trials, "run", lambda *arguments: interrupted.run(*arguments))
        return interrupted

    return install


def validation_accuracy(checkpoint: Path) -> float:
    metrics: dict[str, Any] = json.loads((checkpoint / "metrics.json").read_bytes())
    return float(metrics["evaluations"]["validation"]["scores"]["accuracy"])


def test_what_is_found_trains_to_the_score_it_was_found_with(
    arguments: list[object], interrupt: Interrupt, tmp_path: Path
) -> None:
    run = Trials.run
    output = tmp_path / "out"
    interrupt(run, 3)
    first = call(*arguments, "--budget-s", 1000)
    assert first.exit_code == 130, first.output
    assert "stopped; the same command with --resume goes on" in first.output
    interrupt(run, 3)
    result = call(*arguments, "--budget-s", 1000, "--resume")
    tuning = Tuning.read(output / RESULTS)
    promoted = max(tuning.trials[1:4], key=lambda trial: trial.score).number
    made = [(trial.number, trial.rung, trial.epochs) for trial in tuning.trials]
    assert made == [(0, 1, 5), (1, 0, 2), (2, 0, 2), (3, 0, 2), (promoted, 1, 5), (4, 0, 2)]
    assert tuning.best is not None
    assert tuning.best.score >= tuning.trials[0].score > 0.5
    assert "trial 5" not in result.output
    assert "validation accuracy" in result.output

    line = next(line for line in result.output.splitlines() if line.startswith("to train with the best settings: "))
    words = shlex.split(line.partition(": ")[2])
    assert words[:3] == ["python", "-m", "training"]
    trained = call(*words[3:])
    assert trained.exit_code == 0, trained.output
    assert validation_accuracy(output / "checkpoint") == pytest.approx(tuning.best.score)

    table = (output / TABLE).read_text(encoding="utf-8")
    assert "| 0 | 5 |" in table
    assert "loop.learning_rate 0.0" in table
    assert "python -m training tune --train train.csv" in table
    assert "--space space.toml --budget-s 1000" in table
    assert str(tmp_path) not in table + (output / RESULTS).read_text(encoding="utf-8")


def test_an_interrupted_search_goes_on_as_if_never_stopped(
    arguments: list[object], interrupt: Interrupt, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    whole = interrupt(fake_run, 30)
    call(*arguments, "--budget-s", 1e6)
    straight = Tuning.read(output / RESULTS).trials
    assert len(straight) == 30
    interrupt(fake_run, 11)
    call(*arguments, "--budget-s", 1e6, "--overwrite")
    again = interrupt(fake_run, 19)
    result = call(*arguments, "--budget-s", 1e6, "--resume")
    assert Tuning.read(output / RESULTS).trials == straight
    assert again.plans == whole.plans[11:]
    assert max(trial.score for trial in straight if trial.rung == 1) == 0.9
    assert "(as given 0.5000)" in result.output
    best = Tuning.read(output / RESULTS).best
    assert best is not None
    config = build_config(read_toml(output / BEST))
    assert config.loop.learning_rate == best.settings["loop.learning_rate"]
    assert (config.loop.epochs, config.architecture.hidden_size) == (5, 8)


def test_settings_that_diverge_are_noted_and_the_search_goes_on(
    arguments: list[object], interrupt: Interrupt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def score(trials: Trials, config: TrainConfig, should_stop: Callable[[], bool]) -> float:
        if config.loop.learning_rate != TrainConfig().loop.learning_rate:
            raise DivergedError("step 2: the gradient is not finite")
        return 0.5

    monkeypatch.setattr(Trials, "_score", score)
    interrupt(Trials.run, 5)
    result = call(*arguments, "--budget-s", 1000)
    assert result.exit_code == 130, result.output
    assert "diverged in 0:00; best in full 0.5000 (trial 0)" in result.output
    trials = Tuning.read(tmp_path / "out" / RESULTS).trials
    made = [(trial.number, trial.rung, trial.diverged) for trial in trials]
    assert made == [(0, 1, False), *((number, 0, True) for number in range(1, 5))], "none of them goes up"
    assert "| 1 | 2 | diverged |" in (tmp_path / "out" / TABLE).read_text(encoding="utf-8")


def test_time_is_counted_over_resumptions(arguments: list[object], interrupt: Interrupt, tmp_path: Path) -> None:
    """Ten seconds a trial, as they say; none of them passes here."""
    interrupt(fake_run, 2)
    call(*arguments, "--budget-s", 25)
    spent = interrupt(fake_run, 100)
    assert call(*arguments, "--budget-s", 20, "--resume").exit_code == 0
    assert not spent.plans
    assert "other space" in call(*arguments, "--budget-s", 20, "--resume", "--set", "dropouts.embedding=0").output
    assert "other config" in call(*arguments, "--budget-s", 20, "--resume", "--set", "seed=3").output
    assert "exists; --resume goes on" in call(*arguments, "--budget-s", 20).output
    (tmp_path / "out" / RESULTS).write_text("{}", encoding="utf-8")
    broken = call(*arguments, "--budget-s", 20, "--resume")
    assert (broken.exit_code, "not a search of this version" in broken.output) == (2, True)


def test_too_little_time_leaves_the_settings_as_given(arguments: list[object], tmp_path: Path) -> None:
    result = call(*arguments, "--budget-s", 1e-3)
    assert result.exit_code == 0, result.output
    assert "not even the training with the settings as given was finished" in result.output
    assert Tuning.read(tmp_path / "out" / RESULTS).trials == ()
    assert build_config(read_toml(tmp_path / "out" / BEST)).loop.learning_rate == TrainConfig().loop.learning_rate


def test_one_training_in_full_is_no_comparison(arguments: list[object], interrupt: Interrupt) -> None:
    interrupt(fake_run, 2)
    assert "nothing but the settings as given was trained in full" in call(*arguments, "--budget-s", 1e6).output


def test_no_test_file_is_read_but_it_is_kept_for_the_training_and_there_are_no_folds(
    reviews: Path, interrupt: Interrupt, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(
        'data.train = "train.csv"\ndata.test = "no such file.csv"\ndata.tests = { more = "nor this.csv" }\n'
        "data.folds = 5\n",
        encoding="utf-8",
    )
    interrupt(fake_run, 1)
    options = ["--config", tmp_path / "mine.toml", "--data-root", reviews, "--output", tmp_path / "out"]
    result = call("tune", *options, "--budget-s", 100)
    assert result.exit_code == 130, result.output
    files = Tuning.read(tmp_path / "out" / RESULTS).data
    assert {role: file.rows for role, file in files.items()} == {"train": 108, "validation": 12}
    assert "without folds: data.folds=5 is for train alone" in result.output
    data = build_config(read_toml(tmp_path / "out" / BEST)).data
    assert data.test == str(reviews / "no such file.csv")
    assert data.tests == {"more": str(reviews / "nor this.csv")}
    assert data.folds == 0
    refused = call("tune", *options, "--budget-s", 100, "--test", reviews / "test.csv")
    assert (refused.exit_code, "No such option" in refused.output) == (2, True)


def test_sets_of_labels_and_the_metric_asked_for(reviews: Path, interrupt: Interrupt, tmp_path: Path) -> None:
    interrupt(Trials.run, 1)
    files = ["--train", reviews / "lists.jsonl", "--output", tmp_path / "out"]
    result = call("tune", *files, *TINY, "--set", "metric=macro_f1", "--budget-s", 1000)
    assert re.search(r"validation macro_f1 [01]\.\d+ in", result.output), result.output
    tuning = Tuning.read(tmp_path / "out" / RESULTS)
    assert tuning.metric == "macro_f1"
    assert tuning.trials[0].score > 0.7


def test_other_settings_over_a_configuration() -> None:
    config = with_settings(TrainConfig(), {"loop.betas": [0.8, 0.9], "architecture.pooling": "max"})
    assert config.loop.betas == (0.8, 0.9)
    assert config.architecture.pooling == "max"
    assert config.loop.epochs == TrainConfig().loop.epochs
