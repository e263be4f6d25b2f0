"""Going on from a checkpoint with labels of which it knows some, all or none."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checkpoint import load_checkpoint
from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import FILLING, TINY

SHORT = ("--set", "loop.epochs=20", "--set", "loop.learning_rate=0.02", "--set", "report=false")


HALF = ("--set", "data.validation_fraction=0.5")
"""Enough validation texts to fit thresholds."""


@pytest.fixture(scope="module")
def old(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the labels bad and good."""
    output = tmp_path_factory.mktemp("old") / "old"
    result = call("train", "--train", reviews / "train.csv", "--output", output, *TINY)
    assert result.exit_code == 0, result.output
    return output


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def fair_rows(number: int, seed: int) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    return [(" ".join([*rng.choice(FILLING, size=4), "middling", f"no{i}"]), "fair") for i in range(number)]


def rows_of(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(text, label) for text, label in list(csv.reader(file))[1:]]


def test_a_new_label_alone_is_learned_and_the_old_ones_are_kept(old: Path, reviews: Path, tmp_path: Path) -> None:
    new = write(tmp_path / "new.csv", fair_rows(80, 0))
    test = write(tmp_path / "test.csv", [*rows_of(reviews / "test.csv"), *fair_rows(30, 1)])
    output = tmp_path / "v2"
    result = call("train", "--start", old, "--train", new, "--test", test, "--output", output, *SHORT)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "continues old: keeps its 2 labels (bad, good), 2 of them without a text here; adds 1 (fair)." in said
    assert load_checkpoint(output).config.labels == ("bad", "fair", "good")
    recalls = recalls_of(metrics_of(output)["evaluations"]["test"])
    assert recalls["fair"] > 0.6
    assert min(recalls["bad"], recalls["good"]) > 0.4
    assert recalls["bad"] + recalls["good"] > 1.2
    card = (output / "README.md").read_text(encoding="utf-8")
    assert "| of the checkpoint, with texts here | none |" in card
    assert "| of the checkpoint, kept without texts | bad, good |" in card
    assert "| new | fair |" in card
    assert "The last weights were kept, for the validation texts do not have all labels" in card
    assert "(20.00 epochs, the last kept)" in card
    assert "chose the weights" not in card
    assert metrics_of(output)["effort"]["best_epoch"] == 20
    assert metrics_of(output)["start"]["kept"] == ["bad", "good"]
    now, then = load_checkpoint(output).config.architecture, load_checkpoint(old).config.architecture
    assert now.ngram_buckets == then.ngram_buckets > 0


def test_dropping_leaves_the_labels_of_the_texts_and_says_why_there_are_no_folds(
    old: Path, reviews: Path, tmp_path: Path
) -> None:
    new = write(tmp_path / "new.csv", [*fair_rows(40, 0), *rows_of(reviews / "train.csv")[:40:2]])
    output = tmp_path / "v2"
    options = ("--train", new, "--output", output, "--set", "loop.epochs=1", "--set", "report=false")
    result = call("train", "--start", old, "--drop-old-labels", *options)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "without folds: old has no sentence vectors, to which the head of each fold is fitted" in said
    assert load_checkpoint(output).config.labels == ("fair", "good")
    assert metrics_of(output)["start"]["kept"] == []
    assert "--start old --drop-old-labels" in metrics_of(output)["command"]


def test_more_texts_of_the_same_labels_move_the_network_as_far_as_pays(
    old: Path, reviews: Path, tmp_path: Path
) -> None:
    output = tmp_path / "v2"
    options = ("--train", reviews / "test.csv", "--output", output, *HALF, "--set", "report=false")
    result = call("train", "--start", old, *options, "--set", "loop.epochs=2", "--set", "loop.learning_rate=0.5")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "continues old: keeps its 2 labels (bad, good); adds none." in said
    found = re.search(r"(\d+)% of the way from the checkpoint is kept: validation loss ([\d.]+), ([\d.]+) of the", said)
    assert found is not None
    assert int(found[1]) < 100  # the rate is far too high
    assert "at the end; --drop-old-labels takes the end" in said
    assert float(found[2]) <= float(found[3])
    before, after = (load_checkpoint(folder).weights["head.weight"] for folder in (old, output))
    assert np.allclose(before, after) == (found[1] == "0")


def test_what_does_not_fit_the_checkpoint_is_refused(old: Path, reviews: Path, tmp_path: Path) -> None:
    start = ("train", "--start", old, "--output", tmp_path / "v2")
    lists = call(*start, "--train", reviews / "lists.jsonl")
    assert lists.exit_code == 2
    assert "several labels a text, but the checkpoint old gives one" in " ".join(lists.output.split())
    for setting, cause in (("data.folds=5", "labels it keeps"), ("ngrams.buckets=64", "n-grams of old are kept")):
        refused = call(*start, "--train", reviews / "train.csv", "--set", setting)
        assert (refused.exit_code, cause in " ".join(refused.output.split())) == (2, True), refused.output


def test_thresholds_of_labels_without_texts_stay(reviews: Path, tmp_path: Path) -> None:
    first, output = tmp_path / "first", tmp_path / "second"
    result = call("train", "--train", reviews / "lists.jsonl", "--output", first, *TINY, *HALF)
    assert result.exit_code == 0, result.output
    rows = [{"text": text, "label": ["fair"] if i % 2 else []} for i, (text, _) in enumerate(fair_rows(120, 0))]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    options = (*HALF, "--set", "loop.epochs=1", "--set", "report=false")
    result = call("train", "--start", first, "--train", tmp_path / "new.jsonl", "--output", output, *options)
    assert result.exit_code == 0, result.output
    before, after = (load_checkpoint(folder).config for folder in (first, output))
    assert after.labels == ("bad", "fair", "good", "numbered")
    assert before.thresholds is not None
    assert after.thresholds is not None
    assert after.thresholds[:1] + after.thresholds[2:] == before.thresholds
    assert before.labels == ("bad", "good", "numbered")


def recalls_of(evaluation: dict[str, Any]) -> dict[str, float]:
    return {each["label"]: each["recall"] for each in evaluation["scores"]["labels"]}
