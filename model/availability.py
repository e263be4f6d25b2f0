"""Presence of PyTorch, of a GPU and of processors, found out without importing PyTorch."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from model.errors import ConfigError

DRIVERS = ("nvidiactl", "dxg", "kfd", "nvmap")
"""Device files of a GPU that PyTorch calls `cuda`: NVIDIA's driver, the same under WSL, AMD's, and NVIDIA's Tegra."""

NO_DEVICES = ("", "-1")
"""Values of `CUDA_VISIBLE_DEVICES` that hide every GPU."""


def torch_installed() -> bool:
    """True if PyTorch can be imported."""
    return find_spec("torch") is not None


def require_torch(reason: str) -> None:
    """Refuses to go on without PyTorch.

    Args:
        reason: a clause that says why it is needed.

    Raises:
        ConfigError: PyTorch is not installed.
    """
    if not torch_installed():
        raise ConfigError(
            f"PyTorch is not installed, and it has to compute here, since {reason}; install requirements/core.txt, "
            "or use the default image in place of the slim one"
        )


def gpu_possible(devices: Path = Path("/dev")) -> bool:
    """False if there is surely no GPU to compute on; PyTorch, once imported, knows for certain."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in NO_DEVICES or not torch_installed():
        return False
    return any((devices / name).exists() for name in DRIVERS)


def num_threads() -> int:
    """Threads that a computation takes by default: as PyTorch where that is imported, else one for each processor."""
    if (torch := sys.modules.get("torch")) is not None:
        return int(torch.get_num_threads())
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
