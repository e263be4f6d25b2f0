"""Starting from a checkpoint: which layers and rows a run takes, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from model.checkpoint import CONFIG, METRICS, load_checkpoint, replace_metrics
from model.errors import CheckpointIncompatible, CheckpointMissing
from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import TINY
from training.config.request import CallOptions
from training.config.start import load_start
from training.runs.session import Session
from training.runs.train import begin, first_step


@pytest.fixture(scope="module")
def earlier(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with n-grams, of two labels."""
    output = tmp_path_factory.mktemp("earlier") / "first"
    result = call("train", "--train", reviews / "train.csv", "--output", output, *TINY, "--set", "loop.epochs=1")
    assert result.exit_code == 0, result.output
    return output


def three_labels(folder: Path) -> Path:
    """A file with the labels of `earlier` and one more, which comes between them."""
    path = folder / "three.csv"
    kinds = (("good film", "good"), ("bad film", "bad"), ("a film", "fair"))
    rows = [f"{text} number {number},{label}" for number in range(40) for text, label in kinds]
    path.write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    return path


def test_all_layers_are_taken_and_of_the_head_the_rows_of_common_labels(earlier: Path, tmp_path: Path) -> None:
    options = CallOptions(output=tmp_path, data_root=tmp_path, train_file=three_labels(tmp_path), start=earlier)
    run = begin(options.request(), Session(output=tmp_path / "m", device="cpu", console=Console(quiet=True)))
    trainer = first_step(run)
    stored, weights = load_file(earlier / "model.safetensors"), trainer.network.weights()
    body = [name for name in weights if not name.startswith(("head", "ngrams"))]
    assert all(torch.equal(weights[name], stored[name].float()) for name in body)
    before, now = list(load_checkpoint(earlier).config.labels), list(run.corpus.labels)
    assert (before, now) == (["bad", "good"], ["bad", "fair", "good"])
    for name in ("head.weight", "head.bias"):
        assert torch.equal(weights[name][[0, 2]], stored[name].float())
    assert torch.equal(weights["ngrams.table"][:, [0, 2]], stored["ngrams.table"].float())
    assert not weights["ngrams.table"][:, 1].any()
    assert not any(torch.equal(weights["head.weight"][1], row) for row in stored["head.weight"].float())
    assert json.loads(run.tokenizer.to_str()) == json.loads((earlier / "tokenizer.json").read_bytes())


def test_training_further_is_recorded_and_can_be_served(earlier: Path, tmp_path: Path) -> None:
    train = ("train", "--start", earlier, "--train", three_labels(tmp_path), "--output", tmp_path / "m")
    result = call(*train, "--set", "loop.epochs=2")
    assert result.exit_code == 0, result.output
    metrics, card = metrics_of(tmp_path / "m"), (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    version = load_checkpoint(earlier).version
    start = metrics["start"]
    assert (start["name"], start["version"], start["perplexity"]) == ("first", version, None)
    assert start["data"] == metrics_of(earlier)["data"]
    assert f"All layers began with those of the checkpoint first, version `{version}`" in card
    assert "perplexity" not in card
    assert load_checkpoint(tmp_path / "m").config.labels == ("bad", "fair", "good")
    refused = call(*train, "--overwrite", "--set", "architecture.hidden_size=77")
    assert (refused.exit_code, "architecture.hidden_size=77, but the layers of" in refused.output) == (2, True)


def test_what_is_no_start_is_refused(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing):
        load_start(tmp_path / "none")
    call("train", "--start", earlier, "--train", three_labels(tmp_path), "--output", tmp_path / "m")
    metrics = metrics_of(tmp_path / "m")
    replace_metrics(tmp_path / "m", {name: value for name, value in metrics.items() if name != "config"})
    assert json.loads((tmp_path / "m" / CONFIG).read_bytes())["labels"]
    with pytest.raises(CheckpointIncompatible, match=f"{METRICS}: is not the record of a training"):
        load_start(tmp_path / "m")
