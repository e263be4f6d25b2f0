"""The state of a training run and its file, from which any number of processes resumes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.files import replacing
from training.fit.parallel import Processes

STATE = "state.safetensors"
RANDOM, RANDOM_CUDA = "rng", "rng_cuda"


@dataclass
class Position:
    """The numbers, besides tensors, that a run needs to resume exactly."""

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
    batch_scale: float = 1.0
    history: list[dict[str, float]] = field(default_factory=list)


def write_state(
    directory: Path,
    tensors: Mapping[str, Tensor],
    position: Position,
    optimizer_steps: int,
    device: torch.device,
    processes: Processes,
) -> None:
    """Writes tensors, position and the state of the random numbers; the file is replaced at once or not at all.

    Of several processes the first writes, with the random numbers of all.
    """
    saved = {name: tensor.contiguous() for name, tensor in tensors.items()} | _random_states(device, processes)
    if not processes.is_first:
        return
    directory.mkdir(parents=True, exist_ok=True)
    metadata = {"position": json.dumps(_numbers(position)), "optimizer_steps": str(optimizer_steps)}
    with replacing(directory / STATE) as partial:
        save_file(saved, partial, metadata=metadata)


def _numbers(position: Position) -> dict[str, Any]:
    """The position as it is written: without a scale of 1, which states had none of before there were others."""
    return {name: value for name, value in vars(position).items() if name != "batch_scale" or value != 1}


def read_state(
    directory: Path, tensors: Mapping[str, Tensor], device: torch.device, processes: Processes, seed: int
) -> tuple[Position, int]:
    """Fills `tensors` and the random numbers; returns the position and the steps of the optimizer.

    Nothing but the random numbers depends on how many processes wrote it. Each of now takes up those of the same rank
    then; one more than there were draws its own, by `seed` and the step.

    Raises:
        OSError, KeyError, safetensors.SafetensorError: there is no usable state.
    """
    with safe_open(directory / STATE, framework="pt") as file:
        metadata, names = file.metadata(), set(file.keys())
        position = Position(**json.loads(metadata["position"]))
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(file.get_tensor(name))
        torch.manual_seed(processes.seed(seed, position.step))
        if (on_cpu := _name(RANDOM, processes.rank)) in names:
            torch.set_rng_state(file.get_tensor(on_cpu))
        if (on_cuda := _name(RANDOM_CUDA, processes.rank)) in names and device.type == "cuda":
            torch.cuda.set_rng_state(file.get_tensor(on_cuda), device)
    return position, int(metadata["optimizer_steps"])


def _random_states(device: torch.device, processes: Processes) -> dict[str, Tensor]:
    """The state of every process's random numbers, by name."""
    own = {RANDOM: torch.get_rng_state()}
    if device.type == "cuda":
        own[RANDOM_CUDA] = torch.cuda.get_rng_state(device)
    return {
        _name(name, rank): state.clone()
        for name, tensor in own.items()
        for rank, state in enumerate(processes.stacked(tensor.unsqueeze(0), [1] * processes.count))
    }


def _name(name: str, rank: int) -> str:
    return f"{name}.{rank}" if rank else name
