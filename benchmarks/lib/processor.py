"""Processor time of a running server, and its workers on cores of their own."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.lib.memory import PROC, parents, tree

WORKER = b"spawn_main"
"""Part of the command line of a process that `multiprocessing` has spawned."""


def workers(root: int, proc: Path = PROC) -> list[int]:
    """The worker processes of the server `root`, ascending; itself where it has none."""
    below = sorted(tree(root, parents(proc)) - {root})
    return [pid for pid in below if WORKER in (proc / str(pid) / "cmdline").read_bytes()] or [root]


def spent_s(pids: Iterable[int], proc: Path = PROC) -> float:
    """Seconds of processor time that all threads of some processes have had, to the nanosecond."""
    spent = 0
    for pid in pids:
        for task in (proc / str(pid) / "task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
                spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def pin(pids: Sequence[int], cores: Sequence[int], proc: Path = PROC) -> None:
    """Gives each process a core, its threads included, in turn; those that it starts later inherit it."""
    for place, pid in enumerate(pids):
        for task in (proc / str(pid) / "task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[place % len(cores)]})
