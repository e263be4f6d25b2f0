"""Errors become messages and exit codes, and commands for one process refuse several."""

import errno
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from safetensors import SafetensorError

import training.fit.state
from tests.training.cli.commands import call
from tests.training.conftest import TINY
from training.__main__ import main
from training.artifacts.run_folder import RunFolder
from training.cli.group import Commands

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


ENDPOINT = ("--endpoint", "http://127.0.0.1:9", "--model", "m", "--labels", "a,b")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("label", "a.csv", *ENDPOINT, "--output"), "a.csv"),
        (("choose", "a.csv", "--output"), "a.csv"),
        (("choose", "b.csv", "--but-not", "a.csv", "--output"), "link.csv"),
        (("mix", "a.csv", "--output"), "a.csv"),
        (("mix", "b.csv", "--without", "a.csv", "--output"), "a.csv"),
        (("sentences", "b.csv", "--without", "a.csv", "--output"), "a.csv"),
        (("inspect", "b.csv", "a.csv", "--json"), "a.csv"),
        (("inspect", "b.csv", "--test", "a.csv", "--json"), "a.csv"),
        (("inspect", "b.csv", "--validation", "a.csv", "--validation", "b.csv", "--json"), "a.csv"),
        (("evaluate", "none", "a.csv", "--json"), "a.csv"),
        (("evaluate", "none", "b.csv", "--neighbours", "a.csv", "--json"), "a.csv"),
        (("report", "none", "a.json", "--output"), "a.html"),
        (("report", "none", "b.csv", "--train", "a.json", "--output"), "a.html"),
    ],
)
def test_no_command_writes_over_a_file_that_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("text,label\ngood film,pos\nbad film,neg\n", encoding="utf-8")
    Path("a.json").write_text('[{"text": "good film", "label": "pos"}]', encoding="utf-8")
    Path("link.csv").symlink_to("a.csv")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = call(*arguments, output)
    assert (result.exit_code, "is a file to read; write to another one" in result.output) == (2, True), result.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "state.safetensors.partial"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_in_a_sentence_and_the_run_goes_on_later(
    error: Exception, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    output = tmp_path / "m"
    assert call("train", "--train", reviews / "train.csv", "--output", output, *TINY, stop_after=2).exit_code == 130
    with monkeypatch.context() as patch:
        patch.setattr(training.fit.state, "save_file", full)
        failed = call("train", "--output", output, "--resume", stop_after=2)
    assert failed.exit_code == 1
    assert isinstance(failed.exception, SystemExit), "a traceback"
    assert "No space left on device" in failed.output
    assert "Free some space, then give the same command again, with --resume" in failed.output
    assert call("train", "--output", output, "--resume").exit_code == 0


def test_an_output_that_cannot_be_written_is_named(reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = call("train", "--train", reviews / "train.csv", "--output", tmp_path / "file" / "m", *TINY)
    assert result.exit_code == 1
    assert f"Error: {tmp_path / 'file' / 'm.run'}: Not a directory" in result.output


def test_a_run_that_diverges_says_at_which_step_and_keeps_the_state_before(reviews: Path, tmp_path: Path) -> None:
    output = tmp_path / "m"
    rate = ("--set", "loop.learning_rate=1e25")
    result = call("train", "--train", reviews / "train.csv", "--output", output, *TINY, *rate)
    assert result.exit_code == 1
    assert "the gradient is not finite, at a loss of" in result.output
    assert "Most often the learning rate is too high" in result.output
    assert f"start anew with --overwrite. {RunFolder(output).path} keeps the state before that" in result.output
    assert RunFolder(output).has_state
    assert not output.exists()


@pytest.mark.parametrize("command", ["compare", "tune", "pretrain", "teach", "evaluate"])
def test_other_commands_are_for_one_process(command: str) -> None:
    first = CliRunner().invoke(main, [command, "--help"], env=STARTED)
    assert (first.exit_code, f"{command} runs without it" in first.output) == (2, True)
    second = CliRunner().invoke(main, [command, "--help"], env=STARTED | {"RANK": "1"})
    assert (second.exit_code, second.output) == (0, "")


@pytest.mark.parametrize(("missing", "exit_code"), [("pyarrow.parquet", 2), ("training.gone", 1)])
def test_a_package_that_is_not_installed_is_told_and_a_bug_is_not_hidden(missing: str, exit_code: int) -> None:
    @click.command()
    def command() -> None:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    result = CliRunner().invoke(Commands(commands={"command": command}), ["command"])
    assert result.exit_code == exit_code
    assert ("pyarrow is not installed: training needs requirements/training.txt" in result.output) == (exit_code == 2)
