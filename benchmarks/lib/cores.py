"""Processors for a server, and others for the generator of its load."""

import contextlib
import os
from collections.abc import Iterator


def halves(cores: set[int]) -> tuple[set[int], set[int]]:
    """Cores for the server and for the generator; the same one where there is no other."""
    ordered = sorted(cores)
    middle = (len(ordered) + 1) // 2
    return set(ordered[:middle]), set(ordered[middle:] or ordered)


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """This process, and those that it starts meanwhile, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
