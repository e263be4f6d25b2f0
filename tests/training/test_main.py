"""The commands as a user calls them: what they print, leave behind and return."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import training.runs.train
from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from tests.training.conftest import TINY
from training.__main__ import main
from training.artifacts.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def metrics_of(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / "metrics.json").read_bytes())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def trained(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A finished checkpoint, and what its training printed."""
    output = tmp_path_factory.mktemp("trained") / "reviews"
    result = call(
        "train",
        "--train",
        reviews / "train.csv",
        "--test",
        reviews / "test.csv",
        "--output",
        output,
        "--seed",
        1,
        *TINY,
    )
    return output, result


def test_training_learns_and_says_what_it_did(trained: tuple[Path, Result], reviews: Path) -> None:
    output, result = trained
    assert result.exit_code == 0, result.output
    metrics = metrics_of(output)
    assert metrics["evaluations"]["test"]["scores"]["accuracy"] >= 0.95
    assert metrics["data"]["train"]["rows"] == 108
    assert metrics["data"]["validation"]["rows"] == 12
    assert metrics["config"]["loop.epochs"] == 5
    assert metrics["seed"] == 1
    assert metrics["effort"]["tokens_per_s"] > 0
    assert metrics["command"].startswith("python -m training train --train train.csv --test test.csv --set ")
    assert str(reviews) not in (output / "metrics.json").read_text() + (output / "README.md").read_text()
    assert "texts: train 108, validation 12, test 60; 2 labels, single-label" in result.output
    assert result.output.count("validation accuracy 0.") + result.output.count("validation accuracy 1.") == 10
    assert f"wrote {output}" in result.output
    assert not RunFolder(output).path.exists()


def test_the_checkpoint_classifies(trained: tuple[Path, Result]) -> None:
    classifier = Classifier.load(trained[0])
    assert classifier.labels == ("bad", "good")
    p_bad, p_good = classifier.predict(["a dull film", "a superb film"])[:, 0]
    assert p_bad > 0.7 > 0.3 > p_good


def test_evaluate_prints_what_metrics_json_says(trained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    result = call("evaluate", trained[0], reviews / "test.csv", "--json", tmp_path / "scores.json", "--worst", 3)
    assert result.exit_code == 0, result.output
    recorded = metrics_of(trained[0])["evaluations"]["test"]
    assert json.loads((tmp_path / "scores.json").read_bytes()) == recorded
    scores = recorded["scores"]
    low, high = scores["accuracy_interval"]
    assert f"accuracy     {scores['accuracy']:.4f} [95% {low:.4f} to {high:.4f}]" in result.output
    for name, key in (("ECE", "ece"), ("NLL", "nll"), ("Brier", "brier")):
        assert f"{name:<12} {scores[key]:.4f}" in result.output


def test_evaluate_shows_the_training_texts_nearest_to_a_mistake(
    trained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    head, asked, *others = (reviews / "train.csv").read_text(encoding="utf-8").splitlines()
    text, _, label = asked.partition(",")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(f"{head}\n{text},{'bad' if label == 'good' else 'good'}\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("\n".join([head, *others[:39], asked]) + "\n", encoding="utf-8")
    result = call("evaluate", trained[0], wrong, "--neighbours", tmp_path / "other.csv")
    assert result.exit_code == 0, result.output
    table = result.output.partition("Nearest training texts")[2]
    shown = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if " | " in line]
    assert shown[1] == ["1", "1.000", label, text, "row 40 (line 41)"]
    assert len(shown) == 1 + 3


def test_the_card_says_what_metrics_json_says(trained: tuple[Path, Result]) -> None:
    card, metrics = (trained[0] / "README.md").read_text(encoding="utf-8"), metrics_of(trained[0])
    scores = metrics["evaluations"]["test"]["scores"]
    assert card.startswith("# reviews\n")
    assert f"{scores['accuracy']:.4f} [95% " in card
    assert f"| bad | {scores['labels'][0]['precision']:.4f} |" in card
    assert metrics["data"]["test"]["sha256"] in card
    assert metrics["command"] in card
    for warning in metrics["warnings"]:
        assert warning in card


class StopAfter:
    """Stands in for `StopRequest`: stops after so many steps."""

    def __init__(self, num_steps: int) -> None:
        self._left = num_steps

    def __bool__(self) -> bool:
        self._left -= 1
        return self._left < 0

    def __enter__(self) -> "StopAfter":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_interrupted_and_resumed_equals_uninterrupted(
    trained: tuple[Path, Result], reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "again" / "reviews"
    files = ["--train", reviews / "train.csv", "--test", reviews / "test.csv", "--seed", 1]
    monkeypatch.setattr(training.runs.train, "StopRequest", lambda: StopAfter(12))
    stopped = call("train", *files, "--output", output, *TINY)
    assert stopped.exit_code == 130
    assert f"to go on: python -m training train --output {output} --resume" in stopped.output
    assert not output.exists()

    again = call("train", *files, "--output", output, *TINY)
    assert (again.exit_code, "unfinished run; --resume goes on with it" in again.output) == (2, True)
    other = call("train", *files, "--output", output, *TINY, "--set", "loop.epochs=6", "--resume")
    assert (other.exit_code, "loop.epochs (was 5, now 6)" in other.output) == (2, True)

    monkeypatch.setattr(training.runs.train, "StopRequest", lambda: StopAfter(10**6))
    resumed = call("train", "--output", output, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "resumed after" in resumed.output
    expected, actual = load_checkpoint(trained[0]), load_checkpoint(output)
    assert all((actual.weights[name] == tensor).all() for name, tensor in expected.weights.items())
    assert actual.config == expected.config
    for key in ("evaluations", "calibration", "training_accuracy", "data", "command", "config"):
        assert actual.metrics[key] == expected.metrics[key], key
    assert len(actual.metrics["effort"]["history"]) == len(expected.metrics["effort"]["history"])


def test_resume_begins_what_is_not_there_and_a_changed_file_is_refused(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "train.csv"
    data.write_bytes((reviews / "train.csv").read_bytes())
    monkeypatch.setattr(training.runs.train, "StopRequest", lambda: StopAfter(1))
    assert call("train", "--train", data, "--output", tmp_path / "m", *TINY, "--resume").exit_code == 130
    with data.open("a", encoding="utf-8") as file:
        file.write("one more,good\n")
    result = call("train", "--output", tmp_path / "m", "--resume")
    assert (result.exit_code, "the data files have changed" in result.output) == (2, True)
    (tmp_path / "m.run" / "state.safetensors").write_bytes(b"damaged")
    data.write_bytes((reviews / "train.csv").read_bytes())
    result = call("train", "--output", tmp_path / "m", "--resume")
    assert (result.exit_code, "the saved state is damaged" in result.output) == (2, True)
    assert call("train", "--output", tmp_path / "m", "--train", data, *TINY, "--overwrite").exit_code == 130


def test_a_real_signal_leaves_a_state_and_the_command_to_go_on(reviews: Path, tmp_path: Path) -> None:
    arguments = ["--train", str(reviews / "train.csv"), "--output", str(tmp_path / "m"), *TINY]
    command = [sys.executable, "-m", "training", "train", *arguments, "--set", "loop.epochs=100000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "validation accuracy" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
    assert shlex.join(["--output", str(tmp_path / "m"), "--resume"]) in errors
    assert RunFolder(tmp_path / "m").has_state


def test_lists_of_labels_train_a_multi_label_model(reviews: Path, tmp_path: Path) -> None:
    result = call(
        "train", "--train", reviews / "lists.jsonl", "--output", tmp_path / "m", *TINY,
        "--set", "metric=macro_f1", "--set", "weights=float16",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    checkpoint = load_checkpoint(tmp_path / "m")
    assert checkpoint.config.task == "multi_label"
    assert checkpoint.config.labels == ("bad", "good", "numbered")
    assert {str(tensor.dtype) for tensor in checkpoint.weights.values()} == {"torch.float16"}
    scores = metrics_of(tmp_path / "m")["evaluations"]["validation"]["scores"]
    assert scores["confusion"] is None
    assert scores["micro_f1"] > 0.7
    assert "any number of 3 labels" in checkpoint.card
    again = call("evaluate", tmp_path / "m", reviews / "lists.jsonl")
    assert "micro-F1" in again.output


def test_a_variant_trains_and_answers_by_its_settings_alone(reviews: Path, tmp_path: Path) -> None:
    shape = {"cell": "peephole", "num_layers": 2, "conv_width": 3, "pooling": "attention"}
    settings = [word for key, value in shape.items() for word in ("--set", f"architecture.{key}={value}")]
    command = ("train", "--train", reviews / "train.csv", "--output", tmp_path / "m", *TINY, *settings)
    result = call(*command, "--set", "loop.epochs=1")
    assert result.exit_code == 0, result.output
    assert shape.items() <= load_checkpoint(tmp_path / "m").config.architecture.model_dump().items()
    assert np.isfinite(Classifier.load(tmp_path / "m").predict(["a superb film", ""])).all()


def test_other_columns_and_numbers_as_labels(tmp_path: Path) -> None:
    rows = [f"{'fine' if i % 2 else 'bad'} {i}\t{i % 2 + 4}" for i in range(60)]
    rows += ["Twice!\t4", "twice\t5"]
    (tmp_path / "a.tsv").write_text("\n".join(["review\tstars", *rows]), encoding="utf-8")
    columns = ["--text-column", "review", "--label-column", "stars"]
    result = call("train", "--train", tmp_path / "a.tsv", *columns, "--output", tmp_path / "m", *TINY)
    assert result.exit_code == 0, result.output
    assert load_checkpoint(tmp_path / "m").config.labels == ("4", "5")
    assert result.output.count("warning: 2 training texts occur more than once with different labels") == 2
    assert call("evaluate", tmp_path / "m", tmp_path / "a.tsv", *columns).exit_code == 0
    missing = call("evaluate", tmp_path / "m", tmp_path / "a.tsv")
    assert missing.exit_code == 2
    assert "no column 'text'; the file has 'review', 'stars'" in missing.output


def test_wrong_calls_are_told_in_a_sentence(trained: tuple[Path, Result], reviews: Path, tmp_path: Path) -> None:
    train = ("train", "--output", tmp_path / "m")
    for arguments, message in (
        ((*train,), "no training file; give --train FILE"),
        ((*train, "--resume"), "no training file"),
        ((*train, "--train", tmp_path / "none.csv"), "none.csv: does not exist"),
        ((*train, "--recipe", "sst"), "no recipe 'sst'; did you mean sst2?"),
        ((*train, "--recipe", "sst2", "--data-root", tmp_path), "get it from Stanford Sentiment Treebank"),
        ((*train, "--train", reviews / "train.csv", "--set", "loop.epoch=1"), "did you mean loop.epochs?"),
        ((*train, "--train", reviews / "train.csv", "--device", "tpu"), "device 'tpu' is not one of"),
        (("train", "--train", reviews / "train.csv", "--output", trained[0]), "--overwrite replaces it"),
        (("evaluate", tmp_path / "none", reviews / "test.csv"), "there is no such folder"),
        (("evaluate", trained[0], reviews / "lists.jsonl"), "has lists of labels"),
        (("evaluate", trained[0], reviews / "test.csv", "--neighbours", tmp_path / "no.csv"), "no.csv: does not exist"),
        (("evaluate", trained[0], reviews / "test.csv", "--neighbours", reviews, "--worst", 0), "at least 1"),
        (("recipes", "none"), "no recipe 'none'"),
    ):
        result = call(*arguments)
        assert (result.exit_code, message in result.output) == (2, True), result.output
        assert isinstance(result.exception, SystemExit), "a traceback"
    assert not (tmp_path / "m").exists()


def test_a_full_disk_is_a_failed_run(reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.runs.train, "publish", fail)
    result = call(
        "train", "--train", reviews / "train.csv", "--output", tmp_path / "m", *TINY, "--set", "loop.epochs=1"
    )
    assert (result.exit_code, "No space left on device" in result.output) == (1, True)
    assert RunFolder(tmp_path / "m").has_state


def test_help_and_lists() -> None:
    for command in ("train", "evaluate", "tune", "recipes", "settings"):
        result = call(command, "--help")
        assert (result.exit_code, "Usage:" in result.output) == (0, True)
        assert command in call("--help").output
    for command in ("train", "distill", "mix", "sentences", "contrast", "pretrain", "tune", "compare", "reference"):
        assert "\n  python -m training " in call(command, "--help").output, "an example is a line of its own"
    assert "sst2" in call("recipes").output
    assert "expected" in call("recipes", "sst2").output
    assert "loop.epochs = " in call("settings").output
    assert "weights = float16" in call("settings", "--recipe", "sst2").output


def test_ctrl_c_outside_the_loop_needs_no_traceback(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.runs.train, "read_corpus", interrupt)
    result = call("train", "--train", reviews / "train.csv", "--output", tmp_path / "m")
    assert (result.exit_code, "interrupted" in result.output) == (130, True)


def test_threads_are_bounded(trained: tuple[Path, Result], reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYON_NUM_THREADS", "7")
    before = torch.get_num_threads()
    try:
        assert call("evaluate", trained[0], reviews / "test.csv", "--threads", before + 1).exit_code == 0
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
