"""Processes that exchange as under `torchrun`, for tests of what they do together."""

import multiprocessing
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from training.fit.parallel import Processes

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that are ready, of which the first is the one that tests run in."""

    others: Executor

    def run(self, function: Callable[[Processes, Path], Result], folder: Path, *, count: int = 2) -> list[Result]:
        """The results of a module's `function` in each of `count` processes; `folder` is theirs."""
        meeting = folder / f"meeting-{uuid.uuid4()}"
        futures = [self.others.submit(_one_of, rank, meeting, count, function, folder) for rank in range(1, count)]
        return [_one_of(0, meeting, count, function, folder), *(future.result() for future in futures)]


@contextmanager
def group(largest: int) -> Iterator[Group]:
    """Starts all but the first of up to so many processes, to be used several times: starting takes seconds."""
    with ProcessPoolExecutor(largest - 1, multiprocessing.get_context("spawn")) as pool:
        yield Group(pool)


def _one_of(
    rank: int, meeting: Path, count: int, function: Callable[[Processes, Path], Result], folder: Path
) -> Result:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    try:
        return function(Processes(rank, count), folder)
    finally:
        dist.destroy_process_group()
        torch.set_num_threads(threads)
