"""The data report as a user calls it, and before training."""

import csv
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.training.cli.commands import call, metrics_of
from tests.training.conftest import TINY, draw_rows
from training.inspection.finding import kinds


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with train.csv, in which some rows are spoiled, and test.csv."""
    rows = [*draw_rows(118, 0), ("write to ann@example.com, great", "good"), ("N/A", "bad"), ("", "bad")]
    with (tmp_path / "train.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    (tmp_path / "test.csv").write_text("text,label\na great film here,good\nawful,bad\n", encoding="utf-8")
    return tmp_path


def test_a_report_is_printed_and_written(files: Path) -> None:
    result = call(
        *("inspect", files / "train.csv", "--test", files / "test.csv", "--json", files / "report.json"),
        *("--max-tokens", 3),
    )
    assert result.exit_code == 0, result.output
    for kind in ("missing_word", "without_text", "truncated", "email"):
        assert f"[{kind}]" in result.output
    assert "ann@example.com" not in result.output
    (report,) = json.loads((files / "report.json").read_bytes())
    assert report["lengths"]["max_tokens"] == 3
    assert {found["kind"] for found in report["findings"]} <= kinds().keys()


def test_several_files_and_a_given_tokenizer(files: Path, trained: tuple[Path, object]) -> None:
    result = call("inspect", files / "train.csv", files / "test.csv", "--tokenizer", trained[0])
    assert result.exit_code == 0, result.output
    assert f"{files / 'test.csv'}: 2 rows, 2 labels, one label a text" in result.output


def test_several_held_out_files_are_one_and_their_rows_are_told_apart(files: Path) -> None:
    (files / "more.csv").write_text("text,label\nfine,good\n,bad\n", encoding="utf-8")
    result = call("inspect", files / "train.csv", "--test", files / "test.csv", "--test", files / "more.csv")
    assert result.exit_code == 0, result.output
    assert "held out   test 3 rows" in result.output
    result = call("inspect", files / "[mt]*e*.csv")  # more.csv, test.csv
    assert "\n    more.csv row 2 (line 3)\n" in result.output


def test_what_train_would_warn_of_is_said(tmp_path: Path) -> None:
    """No finding tells how labels were read: one that is no list among lists, names that a separator may part."""
    lists = ['"[""food""]"', '"[""room""]"', '"[""food"", ""room""]"'] * 3
    rows = [f"text {number},{labels}" for number, labels in enumerate([*lists, "food"])]
    (tmp_path / "lists.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    (tmp_path / "parts.csv").write_text("text,label\na,food\nb,room\nc,food/room\nd,1\ne,1.0\n", encoding="utf-8")
    result = call("inspect", tmp_path / "lists.csv", "--test", tmp_path / "lists.csv")
    said = "1 row with a plain label among lists, read as a list of one (row 10 (line 11))"
    assert f"\nwarning: {said}\n" in result.output
    assert f"\nwarning: test: {said}\n" in result.output
    result = call("inspect", tmp_path / "parts.csv")
    assert "--label-separator '/' parts them)\n" in result.output
    assert "warning: label '1' is written in 2 ways, read as one: '1' (1), '1.0' (1)\n" in result.output


def test_a_file_that_cannot_be_read_is_an_error(files: Path) -> None:
    result = call("inspect", files / "none.csv")
    assert result.exit_code == 2
    result = call("inspect", files / "train.csv", "--text-column", "body")
    assert (result.exit_code, "no column 'body'" in result.output) == (2, True)


def test_one_class_alone_is_reported_although_train_refuses_it(files: Path) -> None:
    (files / "one.csv").write_text("text,label\n" + "".join(f"text {i},only\n" for i in range(9)), encoding="utf-8")
    result = call("inspect", files / "one.csv")
    assert (result.exit_code, "[single_class]" in result.output) == (0, True)


def test_train_prints_findings_first_and_masks_if_asked(files: Path) -> None:
    plain = ["--train", files / "train.csv", "--output", files / "model", *TINY, "--set", "loop.epochs=1"]
    result = call("train", *plain)
    assert result.exit_code == 0, result.output
    assert "[missing_word]. train learns it as a text." in result.output
    assert result.output.index("[missing_word]") < result.output.index("texts: train")
    assert result.output.index("notes: ") < result.output.index("texts: train")
    assert "without_text" not in result.output, "a warning tells it"

    masked = call("train", *plain, "--mask-personal", "--overwrite")
    assert masked.exit_code == 0, masked.output
    said = "are masked in 1 training texts; requests are not masked"
    assert said in masked.output
    assert said in (files / "model" / "README.md").read_text(encoding="utf-8")
    assert metrics_of(files / "model")["config"]["data.mask_personal"] is True
    assert "--mask-personal" in metrics_of(files / "model")["command"]
    assert "email" not in masked.output.partition("texts: train")[0].replace("e-mail", "")


def test_the_command_that_train_names_prints_its_findings(files: Path) -> None:
    rows = [{"body": text, "tag": label, "votes": i % 5} for i, (text, label) in enumerate(draw_rows(60, 0))]
    rows += [{"body": text, "tag": "-", "votes": 1} for text in ("N/A", "a plot", "no plot", "scenes")]
    for name, some in (("two words.jsonl", rows), ("dev.jsonl", [*rows[-4:], *rows[1:9]])):
        (files / name).write_text("\n".join(map(json.dumps, some)), encoding="utf-8")
    options = ["--text-column", "body", "--weight-column", "votes", "--keep-label", "-", "--validation"]
    options += [str(files / "dev.jsonl"), *TINY, "--set", "loop.epochs=1", "--set", "tokenizer.max_tokens=9"]
    result = call("train", "--train", files / "two words.jsonl", "--output", files / "model", *options)
    assert result.exit_code == 0, result.output
    (command,) = re.findall("examples and notes: python -m training (.*)", result.output)
    told = call(*shlex.split(command))
    assert told.exit_code == 0, told.output
    assert "52 rows, 3 labels" in told.output
    assert "- 12 of 64 rows (18.8%) have the weight 0" in told.output
    kinds_said = set(re.findall(r"\[([a-z_]+)\]", result.output))
    assert kinds_said
    assert kinds_said <= set(re.findall(r"\[([a-z_]+)\]", told.output))


def test_distill_refuses_to_mask(files: Path) -> None:
    result = call(
        *("distill", "--teacher", files, "--train", files / "train.csv", "--output", files / "student"),
        *("--set", "data.mask_personal=true"),
    )
    assert (result.exit_code, "mix --mask-personal" in result.output) == (2, True)
