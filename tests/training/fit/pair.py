"""Two processes that exchange as under `torchrun`, for tests of what they do together."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from training.fit.parallel import Processes

Result = TypeVar("Result")


def run_pair(function: Callable[[Processes, Path], Result], folder: Path) -> list[Result]:
    """The results of a module's `function` in each of two processes; `folder` is theirs."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_one_of_two, rank, function, folder) for rank in range(2)]
        return [future.result() for future in futures]


def _one_of_two(rank: int, function: Callable[[Processes, Path], Result], folder: Path) -> Result:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    try:
        return function(Processes(rank, 2), folder)
    finally:
        dist.destroy_process_group()
