"""Classifiers from folders: with PyTorch only where the engine cannot answer."""

from pathlib import Path

import pytest
import torch

from app.config.sections import SHIPPED_CHECKPOINT, ComputeSettings
from app.deployment.loader import Checkpoints
from model.checkpoint import read_config, save_checkpoint
from model.engine.cpu import unfit
from model.errors import CheckpointMissing, ConfigError
from tests.conftest import make_checkpoint

ANSWERED = unfit(read_config(SHIPPED_CHECKPOINT).architecture) is None


@pytest.mark.parametrize(("dtype", "device"), [("auto", "cpu"), ("int8", "cpu"), ("float32", "cpu"), ("auto", "cuda")])
def test_whether_it_needs_pytorch_is_known_before_it_is_loaded(dtype: str, device: str) -> None:
    loader = Checkpoints(ComputeSettings.model_validate({"dtype": dtype, "device": device}))
    wanted = not ANSWERED or dtype == "float32" or device == "cuda"
    assert loader.brings_torch(SHIPPED_CHECKPOINT) == wanted


def test_a_folder_that_cannot_be_read_is_left_to_loading(tmp_path: Path) -> None:
    assert not Checkpoints(ComputeSettings()).brings_torch(tmp_path)


def test_loading_beside_requests_takes_one_thread_and_gives_the_others_back(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", bounds.append)
    classifier = Checkpoints(ComputeSettings(device="cpu", dtype="float32", threads=3)).load(
        tiny_checkpoint, spare=True
    )
    assert (classifier.dtype, bounds) == ("float32", [1, 3])


def test_what_pytorch_must_compute_is_refused_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "sru", make_checkpoint(cell="sru"))
    monkeypatch.setattr("model.availability.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"PyTorch is not installed.* since the engine for CPUs cannot: "):
        Checkpoints(ComputeSettings(device="cpu")).load(tmp_path / "sru", spare=False)


def test_what_has_begun_is_loaded_once_and_its_error_is_told(tiny_checkpoint: Path, tmp_path: Path) -> None:
    loader = Checkpoints(ComputeSettings(device="cpu", threads=1))
    loader.begin(tiny_checkpoint)
    first = loader.load(tiny_checkpoint, spare=False)
    assert loader.load(tiny_checkpoint, spare=False) is not first
    loader.begin(tmp_path)
    with pytest.raises(CheckpointMissing):
        loader.load(tmp_path, spare=False)
