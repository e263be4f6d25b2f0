"""Where a training run stands, and its file: enough to go on as if nothing had happened."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

STATE = "state.safetensors"


@dataclass
class Position:
    """What besides tensors a run must remember to go on exactly."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    best: float | None = None
    readings_without_gain: int = 0
    finished: bool = False
    seconds: float = 0.0
    tokens: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def write_state(
    directory: Path, tensors: Mapping[str, Tensor], position: Position, optimizer_steps: int, device: torch.device
) -> None:
    """Writes tensors, position and the state of the random numbers; the file is replaced at once or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    saved = {name: tensor.contiguous() for name, tensor in tensors.items()}
    saved["rng"] = torch.get_rng_state()
    if device.type == "cuda":
        saved["rng_cuda"] = torch.cuda.get_rng_state(device)
    partial = directory / f"{STATE}.partial"
    save_file(
        saved, partial, metadata={"position": json.dumps(vars(position)), "optimizer_steps": str(optimizer_steps)}
    )
    partial.replace(directory / STATE)


def read_state(directory: Path, tensors: Mapping[str, Tensor], device: torch.device) -> tuple[Position, int]:
    """Fills `tensors` and the random numbers; returns the position and the steps of the optimizer.

    Raises:
        OSError, KeyError, safetensors.SafetensorError: there is no usable state.
    """
    with safe_open(directory / STATE, framework="pt") as file:
        metadata = file.metadata()
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(file.get_tensor(name))
        torch.set_rng_state(file.get_tensor("rng"))
        if "rng_cuda" in file.keys() and device.type == "cuda":  # noqa: SIM118 (the file is no mapping)
            torch.cuda.set_rng_state(file.get_tensor("rng_cuda"), device)
    return Position(**json.loads(metadata["position"])), int(metadata["optimizer_steps"])
