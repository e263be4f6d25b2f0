"""Training as a user does: what it prints, leaves behind and returns."""

import csv
import json
import os
import shlex
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import training.runs.classifier
import training.runs.train
from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import FILLING, TINY, draw_rows
from training.__main__ import main
from training.artifacts.run_folder import RunFolder
from training.interrupt import StopRequest


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


def test_interrupted_and_resumed_equals_uninterrupted(
    trained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    output = tmp_path / "again" / "reviews"
    files = ["--train", reviews / "train.csv", "--test", reviews / "test.csv", "--seed", 1]
    stopped = call("train", *files, "--output", output, *TINY, stop_after=12)
    assert stopped.exit_code == 130
    assert f"to go on: python -m training train --output {output} --resume" in stopped.output
    assert not output.exists()

    again = call("train", *files, "--output", output, *TINY)
    assert (again.exit_code, "unfinished run; --resume goes on with it" in again.output) == (2, True)
    other = call("train", *files, "--output", output, *TINY, "--set", "loop.epochs=6", "--resume")
    assert (other.exit_code, "loop.epochs (was 5, now 6)" in other.output) == (2, True)

    resumed = call("train", "--output", output, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "resumed after" in resumed.output
    expected, actual = load_checkpoint(trained[0]), load_checkpoint(output)
    assert all((actual.weights[name] == tensor).all() for name, tensor in expected.weights.items())
    assert actual.config == expected.config
    for key in ("evaluations", "calibration", "training_accuracy", "data", "command", "config"):
        assert actual.metrics[key] == expected.metrics[key], key
    assert len(actual.metrics["effort"]["history"]) == len(expected.metrics["effort"]["history"])


def test_resume_begins_what_is_not_there_and_a_changed_file_is_refused(reviews: Path, tmp_path: Path) -> None:
    data = tmp_path / "train.csv"
    data.write_bytes((reviews / "train.csv").read_bytes())
    begun = call("train", "--train", data, "--output", tmp_path / "m", *TINY, "--resume", stop_after=1)
    assert begun.exit_code == 130
    with data.open("a", encoding="utf-8") as file:
        file.write("one more,good\n")
    result = call("train", "--output", tmp_path / "m", "--resume")
    assert (result.exit_code, "the data files have changed" in result.output) == (2, True)
    (tmp_path / "m.run" / "state.safetensors").write_bytes(b"damaged")
    data.write_bytes((reviews / "train.csv").read_bytes())
    result = call("train", "--output", tmp_path / "m", "--resume")
    assert (result.exit_code, "the saved state is damaged" in result.output) == (2, True)
    anew = call("train", "--output", tmp_path / "m", "--train", data, *TINY, "--overwrite", stop_after=1)
    assert anew.exit_code == 130


class CtrlC(StopRequest):
    """Sends the process a real SIGINT, once, after so many steps."""

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        self._left = num_steps

    def __bool__(self) -> bool:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return super().__bool__()


def test_a_real_signal_leaves_a_state_and_the_command_to_go_on(reviews: Path, tmp_path: Path) -> None:
    arguments = ["train", "--train", str(reviews / "train.csv"), "--output", str(tmp_path / "m"), *TINY]
    result = CliRunner().invoke(main, arguments, obj={"interrupt": lambda: CtrlC(10)})
    assert (result.exit_code, "Traceback" in result.output) == (130, False), result.output
    assert "validation accuracy" in result.output
    assert shlex.join(["--output", str(tmp_path / "m"), "--resume"]) in result.stderr
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
    assert {str(tensor.dtype) for tensor in checkpoint.weights.values()} == {"float16"}
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
    assert "labels found in column 'stars'" in call("evaluate", tmp_path / "m", tmp_path / "a.tsv").output
    missing = call("evaluate", tmp_path / "m", tmp_path / "a.tsv", "--text-column", "text")
    assert missing.exit_code == 2
    assert "no column 'text'; the file has 'review', 'stars'" in missing.output


def test_a_full_disk_is_a_failed_run(reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.runs.classifier, "publish", fail)
    result = call(
        "train", "--train", reviews / "train.csv", "--output", tmp_path / "m", *TINY, "--set", "loop.epochs=1"
    )
    assert (result.exit_code, "No space left on device" in result.output) == (1, True)
    assert RunFolder(tmp_path / "m").has_state


def test_ctrl_c_outside_the_loop_needs_no_traceback(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.runs.train, "read_corpus", interrupt)
    result = call("train", "--train", reviews / "train.csv", "--output", tmp_path / "m")
    assert (result.exit_code, "interrupted" in result.output) == (130, True)


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """A file of 40 texts without labels."""
    path = tmp_path / "more.csv"
    path.write_text("\n".join(["text", *(text for text, _ in draw_rows(40, 9))]), encoding="utf-8")
    return path


def test_training_on_texts_without_labels_interrupted_and_resumed(reviews: Path, more: Path, tmp_path: Path) -> None:
    terms = [f"semi.{name}" for name in ("adversarial=1", "virtual_adversarial=1", "entropy=0.1", "unlabeled_rows=8")]
    options = [*("--train", reviews / "train.csv"), *("--unlabeled", more), *TINY, "--set", "loop.epochs=2"]
    options += [word for term in terms for word in ("--set", term)]
    assert call("train", *options, "--output", tmp_path / "a" / "m").exit_code == 0
    assert call("train", *options, "--output", tmp_path / "b" / "m", stop_after=5).exit_code == 130
    resumed = call("train", "--output", tmp_path / "b" / "m", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "texts: train 108, validation 12, unlabeled 1 40;" in resumed.output
    whole, halves = (load_checkpoint(tmp_path / folder / "m") for folder in "ab")
    assert all((halves.weights[name] == tensor).all() for name, tensor in whole.weights.items())
    metrics = metrics_of(tmp_path / "a" / "m")
    assert metrics["config"]["semi.unlabeled"] == ["more.csv"]
    assert metrics["data"]["unlabeled 1"]["rows"] == 40
    assert "--unlabeled more.csv" in metrics["command"]


def test_calls_that_contradict_themselves_are_refused(reviews: Path, more: Path, tmp_path: Path) -> None:
    data = ["--train", reviews / "train.csv", "--output", tmp_path / "m"]
    unused = call("train", *data, "--unlabeled", more)
    assert (unused.exit_code, "both are 0" in unused.output) == (2, True), unused.output
    student = call("distill", *data, "--teacher", tmp_path, "--set", "semi.entropy=1")
    assert (student.exit_code, "of the section semi are for train" in student.output) == (2, True), student.output


def test_a_set_of_two_labels_leaves_the_third_to_others(reviews: Path, tmp_path: Path) -> None:
    """Two thirds of the plain texts are called good or bad by a set that has nothing else to call them."""
    rng = np.random.default_rng(0)
    plain = [" ".join(rng.choice(FILLING, size=5)) for _ in range(180)]
    rows = [(text, label, "two") for text, label in draw_rows(120, 0)]
    rows += [(text, ("good", "bad")[i % 2], "two") for i, text in enumerate(plain[:120])]
    rows += [(text, "neutral", "three") for text in plain[120:]]
    rows += [(text, label, "three") for text, label in draw_rows(60, 3)]
    with (tmp_path / "train.csv").open("w", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label", "source"), *rows])
    files = ["--train", tmp_path / "train.csv", "--test", reviews / "test.csv"]
    options = [*TINY, "--set", "ngrams.buckets=0", "--set", "loop.epochs=12", "--set", "data.source_column=source"]
    result = call("train", *files, "--output", tmp_path / "m", *options)
    assert result.exit_code == 0, result.output
    classifier = Classifier.load(tmp_path / "m")
    assert classifier.labels == ("bad", "good", "neutral")
    fresh = [" ".join(rng.choice(FILLING, size=5)) for _ in range(40)]
    assert (classifier.predict(fresh).argmax(1) == 2).mean() > 0.9
    test = metrics_of(tmp_path / "m")["evaluations"]["test"]["scores"]
    assert test["accuracy"] >= 0.95
    assert [row[2] for row in test["confusion"]] == [0, 0, 0]
    evaluated = call("evaluate", tmp_path / "m", reviews / "test.csv", "--own-labels", "--json", tmp_path / "own.json")
    assert evaluated.exit_code == 0, evaluated.output
    assert json.loads((tmp_path / "own.json").read_text())["scores"]["accuracy"] == test["accuracy"]


def test_probabilities_weights_and_columns_of_other_names(tmp_path: Path) -> None:
    """Votes of annotators in two columns, a weight, and a title and a body; the losing labels teach nothing."""
    for name, seed in (("train", 0), ("test", 1)):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(["title", "body", "bad", "good", "votes"])
            for place, (text, label) in enumerate(draw_rows(120, seed)):
                share = 0.6 + 0.1 * (place % 4)
                good = share if label == "good" else 1 - share
                bad = f"{1 - good:.1f}".replace(".", ",")
                writer.writerow([text, "Grüße,\nAnn", bad, f"{good:.1f}", 1 + place % 3])
    options = ["--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--output", tmp_path / "model"]
    options += ["--text-columns", "title,body", "--weight-column", "votes", *TINY]
    result = call("train", *options)
    assert result.exit_code == 0, result.output
    assert "labels found in 2 columns: 'bad', 'good'" in result.output
    assert "labels are numbers for each of 2 (probabilities): one label a text" in result.output
    metrics = metrics_of(tmp_path / "model")
    assert metrics["evaluations"]["test"]["scores"]["accuracy"] >= 0.95
    assert (metrics["config"]["data.text_column"], metrics["config"]["data.weight_column"]) == ("title,body", "votes")
    assert "join them so in requests too" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    lines = (tmp_path / "train.csv").read_text(encoding="utf-8-sig").replace(";2\n", ";two\n", 1)
    (tmp_path / "train.csv").write_text(lines, encoding="utf-8")
    result = call("train", *options, "--overwrite")
    assert result.exit_code == 2
    assert "train.csv, row 2 (line 5), column 'votes': expected a weight" in result.output
