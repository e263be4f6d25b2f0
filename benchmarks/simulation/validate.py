"""Compares what the simulation predicts with a real server under the same arrivals."""

import contextlib
import random
import statistics
import time
from collections.abc import Iterator, Sequence

from benchmarks.lib.cores import on_cores
from benchmarks.lib.load_generator import chunks, closed_loop, percentile, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.processor import pin, workers
from benchmarks.lib.server import Running, running_server
from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.calibrate import SATURATING
from benchmarks.simulation.predict import Server, predict_open, predict_saturation
from benchmarks.simulation.service_times import Frozen, ServiceTimes

LOADS = (0.5, 0.7, 0.9)
"""Of the measured saturation."""

SERVERS = ((1, 1), (1, 64), (2, 1), (2, 64))
"""Workers and texts a request."""

WARM_UP_S = 1.0
PARTS = 3
"""Parts of a run, each with a p99 of its own: how steady the measured one is."""

SEEDS = 3


class Point(Frozen):
    """One load of one server, measured and predicted. Saturation, by a closed loop, has no latencies.

    Attributes:
        workers, texts: of the server, and of each request.
        load: share of saturation; None for saturation itself.
        offered: requests due a second; of saturation, the measured answers.
        measured, predicted: answers with 200 a second; the prediction is the median of its seeds.
        measured_p50_s, predicted_p50_s: median latencies.
        measured_p99_s, predicted_p99_s: of the whole run, and the median of the seeds.
        measured_range, predicted_range: least and most p99 of the run's parts, and of the seeds.
        refused: measured share of requests not answered with 200.
    """

    workers: int
    texts: int
    load: float | None
    offered: float
    measured: float
    predicted: float
    measured_p50_s: float = 0.0
    predicted_p50_s: float = 0.0
    measured_p99_s: float = 0.0
    predicted_p99_s: float = 0.0
    measured_range: tuple[float, float] = (0.0, 0.0)
    predicted_range: tuple[float, float] = (0.0, 0.0)
    refused: float = 0.0


@contextlib.contextmanager
def placed_server(model: str, num_workers: int, cores: Sequence[int]) -> Iterator[Running]:
    """A server whose workers have the cores in turn, one each, and which explains nothing."""
    options = ("--threads=1", "--no-explain", "--log-level=error", f"--workers={num_workers}")
    with on_cores(set(cores)), running_server(f"--model={model}", *options) as server:
        pin(workers(server.pid), cores)
        yield server


async def validate(
    server: Running,
    texts: Sequence[str],
    times: ServiceTimes,
    num_workers: int,
    size: int,
    shared: bool,
    seconds: float,
) -> list[Point]:
    """Saturation and each load, measured, then predicted for the same arrivals.

    Args:
        server: with `num_workers` workers.
        texts: sent over and over, `size` a request.
        times: of the prediction.
        num_workers: processes.
        size: texts of a request.
        shared: whether this process runs on the core of the last worker.
        seconds: of each load.
    """
    requests = [render(part) for part in chunks(texts, size)]
    connections = num_workers * SATURATING[size]
    spent = time.process_time()
    full = await closed_loop(server.port, requests, connections=connections, seconds=3.0, warm_up_s=WARM_UP_S)
    each_s = (time.process_time() - spent) / full.sent if shared else 0.0
    shape = Server(num_workers, size, each_s)
    found = [predict_saturation(times, shape, connections, seed) for seed in range(SEEDS)]
    points = [
        Point(
            workers=num_workers,
            texts=size,
            load=None,
            offered=full.rate,
            measured=full.rate,
            predicted=statistics.median(found),
        )
    ]
    for load in LOADS:
        points.append(await validate_load(server, requests, times, shape, load, full.rate * load, seconds))
    return points


async def validate_load(
    server: Running,
    requests: Sequence[bytes],
    times: ServiceTimes,
    shape: Server,
    load: float,
    rate: float,
    seconds: float,
) -> Point:
    """One load, measured and predicted for the same arrivals."""

    def arrivals() -> Iterator[float]:
        return poisson(rate, random.Random(f"{shape.workers}/{shape.texts}/{load}"))

    loop = OpenLoop(server.port, requests, per_second=rate, seconds=seconds, arrivals=arrivals(), warm_up_s=WARM_UP_S)
    spent = time.process_time()
    await loop.run()
    spent = time.process_time() - spent
    sent = rate * (seconds + WARM_UP_S)
    placed = Server(shape.workers, shape.texts, spent / sent if shape.generator_s else 0.0)
    seen = [predict_open(times, placed, arrivals(), rate, seconds, WARM_UP_S, seed) for seed in range(SEEDS)]
    latencies = loop.tally.latencies + loop.drained.latencies
    others = loop.unanswered + sum((loop.tally.statuses + loop.drained.statuses).values()) - len(latencies)
    size = max(1, len(latencies) // PARTS)
    parts = [percentile(latencies[start : start + size], 99) for start in range(0, size * PARTS, size)]
    high = [outcome.percentile_s(99) for outcome in seen]
    return Point(
        workers=shape.workers,
        texts=shape.texts,
        load=load,
        offered=rate,
        measured=len(latencies) / seconds,
        predicted=statistics.median(len(outcome.latencies) / seconds for outcome in seen),
        measured_p50_s=percentile(latencies, 50),
        predicted_p50_s=statistics.median(outcome.percentile_s(50) for outcome in seen),
        measured_p99_s=percentile(latencies, 99),
        predicted_p99_s=statistics.median(high),
        measured_range=(min(parts), max(parts)),
        predicted_range=(min(high), max(high)),
        refused=others / max(1, others + len(latencies)),
    )
