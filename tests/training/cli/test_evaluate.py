"""Evaluating a checkpoint as a user does."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import Result

from tests.training.cli.commands import call, metrics_of


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


def test_threads_are_bounded(trained: tuple[Path, Result], reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYON_NUM_THREADS", "7")
    before = torch.get_num_threads()
    try:
        assert call("evaluate", trained[0], reviews / "test.csv", "--threads", before + 1).exit_code == 0
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("command", ["evaluate", "precision", "report"])
def test_commands_that_judge_take_the_separator_of_labels(
    trained: tuple[Path, Result], tmp_path: Path, command: str
) -> None:
    (tmp_path / "many.csv").write_text("text,label\none film,good~bad\nno film,good\n", encoding="utf-8")
    refused = call(command, trained[0], tmp_path / "many.csv", "--label-separator", "~")
    assert refused.exit_code == 2
    assert "has lists of labels, but the checkpoint gives each text one label" in refused.output


def test_rows_of_unknown_labels_are_refused_or_left_out_and_counted(
    trained: tuple[Path, Result], reviews: Path, tmp_path: Path
) -> None:
    content = (reviews / "test.csv").read_text(encoding="utf-8")
    num_rows = content.count("\n") - 1
    more = tmp_path / "more.csv"
    more.write_text(content + "so so,middling\nwho knows,middling\nhm,odd\n", encoding="utf-8")
    refused = call("evaluate", trained[0], more)
    assert refused.exit_code == 2
    assert "label 'middling' is unknown; the training set has 'bad', 'good'" in refused.output
    assert "--ignore-unknown-labels" in refused.output
    result = call("evaluate", trained[0], more, "--ignore-unknown-labels", "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    expected = f"warning: 3 of {num_rows + 3} rows left out, whose labels are unknown: 'middling' (2), 'odd' (1)"
    assert expected in result.output
    found = json.loads((tmp_path / "scores.json").read_bytes())["scores"]
    assert found == metrics_of(trained[0])["evaluations"]["test"]["scores"]
    for command, *where in (("precision", shutil.copytree(trained[0], tmp_path / "m")), ("report", trained[0])):
        other = (*where, more, *(["--output", tmp_path / "page.html"] if command == "report" else []))
        assert "--ignore-unknown-labels leaves such rows out" in call(command, *other).output
        result = call(command, *other, "--ignore-unknown-labels")
        assert (result.exit_code, expected.removeprefix("warning: ") in result.output) == (0, True), result.output
    assert expected.removeprefix("warning: ") in (tmp_path / "page.html").read_text(encoding="utf-8").replace(
        "&#39;", "'"
    )
    more.write_text("text,label\nso so,middling\n", encoding="utf-8")
    nothing = call("evaluate", trained[0], more, "--ignore-unknown-labels")
    assert nothing.exit_code == 2
    assert "label 'middling' is unknown" in nothing.output


def test_labels_spelled_otherwise_are_read_as_the_known_ones_on_request(
    trained: tuple[Path, Result], tmp_path: Path
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\nfine\tGood\ndull\tBAD\n", encoding="utf-16")
    refused = call("evaluate", trained[0], path)
    assert refused.exit_code == 2
    assert "--merge-labels reads it as 'good'" in refused.output
    result = call("evaluate", trained[0], path, "--merge-labels")
    assert result.exit_code == 0, result.output
    assert f"{path}: 2 rows from 3 lines; TSV, UTF-16\n" in result.stderr
