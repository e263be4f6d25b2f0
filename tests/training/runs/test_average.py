"""The mean of several checkpoints as one, by the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import training.data.corpus
from model.checkpoint import load_checkpoint, replace_card, save_checkpoint
from tests.training.cli.commands import call
from tests.training.runs.conftest import SMALL

FEW = [*SMALL[:2], "--set", "architecture.embedding_dim=12", "--set", "architecture.hidden_size=8"]
QUICK = ["--set", "loop.epochs=1", "--set", "ngrams.buckets=1024", "--set", "ngrams.order=2", "--no-report"]


@pytest.fixture(scope="module")
def runs(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a checkpoint `start`, of three that went on from it, and of one that did not."""
    folder = tmp_path_factory.mktemp("average")
    data = ("--train", reviews / "train.csv", "--validation", reviews / "test.csv", *QUICK)
    made = call("train", *data, *FEW, "--start", "none", "--output", folder / "start")
    assert made.exit_code == 0, made.output
    for seed in (1, 2, 3):
        further = ("--start", folder / "start", "--drop-old-labels", "--seed", seed, "--output", folder / f"run{seed}")
        made = call("train", *data, *further)
        assert made.exit_code == 0, made.output
    return folder


def mean(runs: Path, *names: str, more: tuple[object, ...] = ()) -> Result:
    return call("average", *(runs / name for name in names), "--output", runs / "mean", "--overwrite", *more)


def test_weights_are_the_mean_and_the_checkpoint_is_whole(runs: Path) -> None:
    made = mean(runs, "run1", "run2", "run3")
    assert made.exit_code == 0, made.output
    assert "validation:" in made.output
    assert f"wrote {runs / 'mean'}" in made.output
    members, found = [load_checkpoint(runs / f"run{seed}") for seed in (1, 2, 3)], load_checkpoint(runs / "mean")
    assert found.weights.keys() == members[0].weights.keys()
    assert "ngrams.table" in found.weights
    for name, weight in found.weights.items():
        expected = np.mean([member.weights[name].astype(np.float64) for member in members], axis=0)
        np.testing.assert_allclose(weight, expected, rtol=1e-3, atol=1e-6)
        assert weight.dtype == members[0].weights[name].dtype
    assert any((members[0].weights[name] != members[1].weights[name]).any() for name in members[0].weights)
    recorded = found.metrics["members"]
    assert [(each["name"], each["version"]) for each in recorded] == [
        (f"run{seed}", member.version) for seed, member in zip((1, 2, 3), members, strict=True)
    ]
    assert found.metrics["command"].startswith("python -m training average")
    assert found.reference is not None
    assert found.metrics["command"].endswith("run1 run2 run3")
    assert all(member.version in found.card for member in members)
    assert not (runs / "mean.run").exists()


def test_scores_are_those_of_the_mean(runs: Path) -> None:
    assert mean(runs, "run1", "run2").exit_code == 0
    recorded = json.loads((runs / "mean" / "metrics.json").read_text("utf-8"))["evaluations"]["validation"]["scores"]
    settings = (runs / "run1.train_config.toml").read_text("utf-8")
    (named,) = [line for line in settings.splitlines() if line.startswith("validation = ")]
    again = call("evaluate", runs / "mean", named.partition('"')[2].rstrip('"'))
    assert f"{recorded['accuracy']:.4f}" in again.output


def test_of_several_seeds_no_half_of_validation_is_free_of_choices(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.data.corpus, "ENOUGH_TO_HALVE", 10)
    assert mean(runs, "run1", "run2").exit_code == 0
    found = load_checkpoint(runs / "mean")
    assert "Found on 30 held-out texts" in found.card
    assert "These texts chose the weights too" in found.card
    assert not found.metrics["calibration"]["apart"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["run1"], "two checkpoints or more"),
        (["run1", "run2", "run1"], "is the same checkpoint as"),
        (["run1", "start"], "begun with other layers"),
        (["run1", "none-there"], "none-there"),
    ],
)
def test_what_cannot_be_averaged_is_refused_and_nothing_is_written(runs: Path, names: list[str], said: str) -> None:
    refused = call("average", *(runs / name for name in names), "--output", runs / "refused")
    assert refused.exit_code == 2
    assert said in refused.output
    assert "Traceback" not in refused.output
    assert not (runs / "refused").exists()
    assert not (runs / "refused.run").exists()


def test_the_settings_may_lie_elsewhere_but_must_have_the_labels(runs: Path, reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "three.csv").write_text("text,label\n" + "\n".join(f"word {n},{'abc'[n % 3]}" for n in range(60)))
    settings = tmp_path / "other.toml"
    texts = f'[data]\ntrain = "{tmp_path / "three.csv"}"\nvalidation = "{tmp_path / "three.csv"}"\n'
    settings.write_text(texts)
    without = call("average", runs / "run1", runs / "run2", "--config", settings, "--output", runs / "refused")
    assert without.exit_code == 2
    assert "the settings name no start; --config names those of the run" in without.output
    settings.write_text(f'start = "{runs / "start"}"\n{texts}')
    refused = call("average", runs / "run1", runs / "run2", "--config", settings, "--output", runs / "refused")
    assert refused.exit_code == 2
    assert "the texts have the labels a, b, c" in refused.output
    missing = call("average", runs / "run1", runs / "run2", "--config", tmp_path / "no.toml", "--output", runs / "no")
    assert missing.exit_code == 2
    assert "no.toml" in missing.output


def test_labels_that_runs_kept_without_texts_are_labels_of_the_mean(runs: Path, reviews: Path, tmp_path: Path) -> None:
    """The settings and the start are those of `run1` but that its texts lack a label."""
    members = [tmp_path / "one", tmp_path / "two"]
    for member, name in zip(members, ("run1", "run2"), strict=True):
        run = load_checkpoint(runs / name)
        kept = {**run.metrics["start"], "kept": list(run.config.labels)}
        save_checkpoint(member, replace(run, metrics={**run.metrics, "start": kept}))
    rows = [row for row in (reviews / "train.csv").read_text("utf-8").splitlines() if not row.endswith("bad")]
    (tmp_path / "new.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    settings = tmp_path / "new.toml"
    texts = f'[data]\ntrain = "{tmp_path / "new.csv"}"\nvalidation = "{reviews / "test.csv"}"\n'
    settings.write_text(f'start = "{runs / "start"}"\n{texts}')
    made = call("average", *members, "--config", settings, "--output", tmp_path / "mean")
    assert made.exit_code == 0, made.output
    found = load_checkpoint(tmp_path / "mean")
    assert found.config.labels == ("bad", "good")
    assert found.metrics["start"]["kept"] == ["bad", "good"]


def test_runs_without_validation_texts_of_their_own_are_refused(runs: Path, reviews: Path) -> None:
    """The other runs may have learned from the texts that would calibrate and score the mean."""
    names = [f"split{seed}" for seed in (1, 2)]
    for seed, name in enumerate(names, 1):
        further = ("--start", runs / "start", "--drop-old-labels", "--seed", seed, "--output", runs / name)
        made = call("train", "--train", reviews / "train.csv", *QUICK, *further)
        assert made.exit_code == 0, made.output
    refused = call("average", *(runs / name for name in names), "--output", runs / "refused")
    assert refused.exit_code == 2
    assert "train each with the same --validation file" in refused.output
    mixed = call("average", runs / "run1", runs / "split1", "--output", runs / "refused")
    assert mixed.exit_code == 2
    assert "other validation texts" in mixed.output
    assert not (runs / "refused").exists()


def test_a_start_that_has_changed_since_is_refused(runs: Path) -> None:
    kept = (runs / "start" / "README.md").read_text("utf-8")
    replace_card(runs / "start", "another")
    refused = call("average", runs / "run1", runs / "run2", "--output", runs / "refused")
    replace_card(runs / "start", kept)
    assert refused.exit_code == 2
    assert "has been changed since" in refused.output
