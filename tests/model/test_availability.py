"""What is there is found out without importing it."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from model import availability
from model.availability import gpu_possible, num_threads, require_torch, torch_installed
from model.errors import ConfigError


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name == "torch" else ModuleSpec(name, None)

    monkeypatch.setattr(availability, "find_spec", find)


@pytest.mark.parametrize(
    ("file", "visible", "possible"),
    [
        ("nvidiactl", None, True),
        ("kfd", None, True),
        ("null", None, False),
        ("nvidiactl", "", False),
        ("nvidiactl", "-1", False),
        ("nvidiactl", "0", True),
    ],
)
def test_a_gpu_is_possible_where_its_driver_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, visible: str | None, possible: bool
) -> None:
    (tmp_path / file).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_possible(tmp_path) == possible


@pytest.mark.usefixtures("without_torch")
def test_without_pytorch_there_is_no_gpu_and_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    assert not gpu_possible(tmp_path)
    with pytest.raises(ConfigError, match=r"since the device is to be cuda; install requirements/core.txt"):
        require_torch("the device is to be cuda")


def test_with_pytorch_nothing_is_refused() -> None:
    assert torch_installed()
    require_torch("anything")


def test_threads_are_those_of_pytorch_once_it_is_there() -> None:
    import torch

    assert num_threads() == torch.get_num_threads()
