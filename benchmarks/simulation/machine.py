"""Measures a core without the server: pauses, naps, waits beside another process, slices."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from benchmarks.lib.cores import on_cores
from benchmarks.lib.open_loop import NAP_S
from benchmarks.simulation.core import Machine

PAUSE_S = 1e-3
"""Shortest pause that is one of the machine: what is shorter is in the spread of the requests."""

SLICE_S = 2e-4
BESIDE_S = 3.0
WORK_S = 3e-5
"""Work between two naps, about a request of the generator."""

STEPS = 250
"""Values that are kept of a distribution, in equal steps of the quantile."""


def gaps(seconds: float, least_s: float, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Times of at least `least_s` for which this process stood still while it computed all the time."""
    found = []
    last = clock()
    end = last + seconds
    while last < end:
        now = clock()
        if now - last >= least_s:
            found.append(now - last)
        last = now
    return found


def naps(seconds: float) -> list[float]:
    """Lengths of sleeps of `NAP_S`, between which this process computes for a moment."""
    found = []
    now = time.perf_counter()
    end = now + seconds
    while now < end:
        time.sleep(NAP_S)
        woken = time.perf_counter()
        found.append(woken - now)
        while (now := time.perf_counter()) < woken + WORK_S:
            pass
    return found


@contextmanager
def busy_process() -> Iterator[None]:
    """A process beside this one that computes all the time, in a session of its own as the server is."""
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101  # it is a pipe
            process.stdout.readline()
            yield
        finally:
            process.kill()


def steps(values: Sequence[float]) -> list[float]:
    """The quantiles of some values in the middle of equal steps, to four digits; none of none.

    In the middle, not at the ends: else the longest of ten thousand values would be drawn once in `STEPS` times.
    """
    if not values:
        return []
    middles = (np.arange(STEPS) + 0.5) / STEPS
    return [float(f"{value:.4g}") for value in np.quantile(values, middles)]


def measure_machine(cores: Sequence[int], seconds: float) -> Machine:
    """Measures pauses on each core for so many seconds, and naps, waits and slices on the last one."""
    pauses = []
    for core in cores:
        with on_cores({core}):
            pauses += gaps(seconds, PAUSE_S)
    with on_cores({cores[-1]}):
        alone = naps(BESIDE_S)
        with busy_process():
            beside = naps(BESIDE_S)
            slices = gaps(BESIDE_S, SLICE_S)
    usual = statistics.median(alone)
    return Machine(
        pauses_per_s=len(pauses) / (len(cores) * seconds),
        pauses=steps(pauses),
        naps=steps(alone),
        waits=steps([max(0.0, nap - usual) for nap in beside]),
        slices=steps(slices),
    )
