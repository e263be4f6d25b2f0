"""Utilisation and memory of a GPU."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class GpuUse:
    """Memory and utilisation of one GPU.

    Attributes:
        memory_used, memory_total: bytes of the device; used by all processes together.
        memory_allocated: bytes of this process's tensors.
        utilisation: share of the last second in which it computed, 0 to 1; None where NVIDIA's management library
            (package nvidia-ml-py) is not installed or does not tell.
    """

    memory_used: int
    memory_total: int
    memory_allocated: int
    utilisation: float | None


def gpu_use(device: str) -> GpuUse:
    """Asks the driver for the figures of `cuda` or `cuda:N`; takes milliseconds.

    Raises:
        RuntimeError: the driver does not answer.
    """
    free, total = torch.cuda.mem_get_info(device)
    return GpuUse(total - free, total, torch.cuda.memory_allocated(device), _utilisation(device))


def _utilisation(device: str) -> float | None:
    try:
        return torch.cuda.utilization(device) / 100
    except Exception:  # NVIDIA's library has errors of its own class: a part of a GPU (MIG) has no such figure
        return None
