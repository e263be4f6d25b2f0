"""Errors become messages and exit codes, and commands for one process refuse several."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.training.cli.commands import call
from training.__main__ import main

STARTED = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}


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


@pytest.mark.parametrize("command", ["compare", "tune", "pretrain", "teach", "evaluate"])
def test_other_commands_are_for_one_process(command: str) -> None:
    first = CliRunner().invoke(main, [command, "--help"], env=STARTED)
    assert (first.exit_code, f"{command} runs without it" in first.output) == (2, True)
    second = CliRunner().invoke(main, [command, "--help"], env=STARTED | {"RANK": "1"})
    assert (second.exit_code, second.output) == (0, "")
