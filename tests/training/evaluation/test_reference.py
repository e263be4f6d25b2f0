"""The reference that a checkpoint gets from its training, or later from a file."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model.checkpoint import load_checkpoint, replace_metrics
from model.classifier import Classifier
from model.errors import CheckpointError
from tests.training.conftest import TINY
from training.__main__ import main


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_checkpoint, tmp_path / "tiny")


def write_texts(path: Path, texts: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text",), *((text,) for text in texts)])
    return path


def test_a_checkpoint_gets_a_reference_and_keeps_its_answers(checkpoint: Path, tmp_path: Path) -> None:
    before = load_checkpoint(checkpoint)
    texts = ["a good film", "难看的电影", "фильм"] * 5
    file = write_texts(tmp_path / "held_out.csv", texts)
    other = write_texts(tmp_path / "more.csv", texts)
    result = call("reference", checkpoint, file, other, file, "--device", "cpu")
    assert result.exit_code == 0, result.output

    after = load_checkpoint(checkpoint)
    assert after.reference is not None
    assert after.version != before.version
    assert f"reference of 30 texts; the version is now {after.version}" in result.output
    assert [(source.file, source.texts) for source in after.reference.files] == [("held_out.csv", 15), ("more.csv", 15)]
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=checkpoint, capture_output=True).returncode == 0
    assert dict(after.metrics) == {**before.metrics, "reference": after.metrics["reference"]}

    classifier = Classifier(after, device="cpu")
    rows = classifier.predict(texts)
    assert (rows == Classifier(before, device="cpu").predict(texts)).all()
    chosen = [after.config.labels[row.argmax()] for row in rows]
    assert after.reference.labels == {label: 2 * chosen.count(label) for label in after.config.labels}
    assert sum(after.reference.length.counts) == 30
    assert "фильм" not in (checkpoint / "metrics.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("checkpoint_name", "file_name", "sentence"),
    [("none", "held_out.csv", "there is no such folder"), ("tiny", "none.csv", "none.csv: does not exist")],
)
def test_what_is_not_there_is_named(
    checkpoint: Path, tmp_path: Path, checkpoint_name: str, file_name: str, sentence: str
) -> None:
    write_texts(tmp_path / "held_out.csv", ["a"])
    result = call("reference", tmp_path / checkpoint_name, tmp_path / file_name)
    assert result.exit_code == 2
    assert sentence in result.output
    assert load_checkpoint(checkpoint).reference is None


@pytest.mark.parametrize(
    ("stored", "cause"),
    [
        ({"texts": 1}, "reference.files: Field required"),
        (["a"], "reference: Input should be"),
    ],
)
def test_a_reference_that_is_none_is_refused(checkpoint: Path, stored: object, cause: str) -> None:
    replace_metrics(checkpoint, {"reference": stored})
    with pytest.raises(CheckpointError, match=cause):
        load_checkpoint(checkpoint)


def test_a_reference_of_other_labels_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    assert call("reference", checkpoint, write_texts(tmp_path / "x.csv", ["a"]), "--device", "cpu").exit_code == 0
    metrics = json.loads((checkpoint / "metrics.json").read_bytes())
    metrics["reference"]["labels"] = {"cat": 1, "dog": 0}
    replace_metrics(checkpoint, metrics)
    with pytest.raises(CheckpointError, match="has other labels than"):
        load_checkpoint(checkpoint)


def test_training_leaves_a_reference_of_its_validation_texts(reviews: Path, tmp_path: Path) -> None:
    output = tmp_path / "lists"
    result = call("train", "--train", reviews / "lists.jsonl", "--output", output, *TINY, "--set", "loop.epochs=1")
    assert result.exit_code == 0, result.output
    checkpoint = load_checkpoint(output)
    validation = checkpoint.metrics["data"]["validation"]
    assert checkpoint.reference is not None
    assert checkpoint.reference.texts == validation["rows"]
    assert checkpoint.reference.files[0].sha256 == validation["sha256"]
    assert checkpoint.reference.labels.keys() == set(checkpoint.config.labels)
