"""Measures a real server under the loads that the simulation is to predict."""

import contextlib
import time
from collections.abc import Iterator, Sequence

from benchmarks.lib.cores import on_cores
from benchmarks.lib.load_generator import chunks, closed_loop, percentile, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.processor import pin, workers
from benchmarks.lib.server import Running, running_server
from benchmarks.simulation.predict import SATURATING, WARM_UP_S, Point

LOADS = (0.5, 0.7, 0.9)
"""Of the measured saturation."""

SERVERS = ((1, 1), (1, 64), (2, 1), (2, 64))
"""Workers and texts a request."""

PARTS = 3
"""Parts of a run, each with a p99 of its own: how steady the measured one is."""


@contextlib.contextmanager
def placed_server(model: str, num_workers: int, cores: Sequence[int]) -> Iterator[Running]:
    """A server whose workers have the cores in turn, one each, and which explains nothing."""
    options = ("--threads=1", "--no-explain", "--log-level=error", f"--workers={num_workers}")
    with on_cores(set(cores)), running_server(f"--model={model}", *options) as server:
        pin(workers(server.pid), cores)
        yield server


async def measure_points(
    server: Running, texts: Sequence[str], num_workers: int, size: int, shared: bool, seconds: float
) -> list[Point]:
    """Saturation and each load, not predicted yet.

    Args:
        server: with `num_workers` workers.
        texts: sent over and over, `size` a request.
        num_workers: processes.
        size: texts of a request.
        shared: whether this process runs on the core of the last worker.
        seconds: of each load.
    """
    requests = [render(part) for part in chunks(texts, size)]
    connections = num_workers * SATURATING[size]
    spent = time.process_time()
    full = await closed_loop(server.port, requests, connections=connections, seconds=3.0, warm_up_s=WARM_UP_S)
    spent = time.process_time() - spent
    points = [
        Point(
            workers=num_workers,
            texts=size,
            load=None,
            offered=full.rate,
            measured=full.rate,
            shared=shared,
            generator_s=spent / full.sent,
        )
    ]
    for load in LOADS:
        due = Point(
            workers=num_workers,
            texts=size,
            load=load,
            offered=full.rate * load,
            measured=0.0,
            shared=shared,
            seconds=seconds,
        )
        points.append(await measure_load(server, requests, due))
    return points


async def measure_load(server: Running, requests: Sequence[bytes], point: Point) -> Point:
    """The point with what was measured at its load."""
    loop = OpenLoop(
        server.port,
        requests,
        per_second=point.offered,
        seconds=point.seconds,
        arrivals=point.arrivals(),
        warm_up_s=WARM_UP_S,
    )
    await loop.run()
    latencies = loop.tally.latencies + loop.drained.latencies
    others = loop.unanswered + sum((loop.tally.statuses + loop.drained.statuses).values()) - len(latencies)
    size = max(1, len(latencies) // PARTS)
    parts = [percentile(latencies[start : start + size], 99) for start in range(0, size * PARTS, size)]
    return point.model_copy(
        update={
            "measured": len(latencies) / point.seconds,
            "measured_p50_s": percentile(latencies, 50),
            "measured_p99_s": percentile(latencies, 99),
            "measured_range": (min(parts), max(parts)),
            "refused": others / max(1, others + len(latencies)),
        }
    )
