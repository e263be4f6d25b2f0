from pathlib import Path

import pytest

from model.errors import CheckpointError
from training.artifacts.run_folder import RunFolder
from training.config.config import build_config
from training.config.request import Request
from training.data.tokenizer import TokenizerConfig, train_tokenizer
from training.errors import UsageError

REQUEST = Request(config=build_config({"seed": 3}), recipe=None, command="python -m training train", data_root="data")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "model.v1")
    run.create(REQUEST, train_tokenizer(TokenizerConfig(vocab_size=600), ["a film"]), {"train": "12ab"})
    return run


def test_what_was_asked_for_comes_back(run: RunFolder) -> None:
    assert run.path.name == "model.v1.run"
    assert run.exists
    assert not run.has_state
    assert run.request(Request) == REQUEST
    assert run.tokenizer().encode("a film").ids
    run.check_digests({"train": "12ab"})
    run.remove()
    assert not run.exists


def test_changed_data_are_refused(run: RunFolder) -> None:
    with pytest.raises(UsageError, match="the data files have changed"):
        run.check_digests({"train": "12ac"})


def test_an_output_that_cannot_be_replaced_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="is the working folder"):
        RunFolder(Path())


def test_nothing_there_and_something_else_there(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no unfinished run at .*other\.run"):
        RunFolder(tmp_path / "other").request(Request)
    (run.path / "run.json").write_text('{"config": {"loop": {"of_old": 1}}}', encoding="utf-8")
    with pytest.raises(UsageError, match="not a run of this command and version"):
        run.request(Request)
