"""Measures the service times of one worker on a core of its own, from a real server on the loopback.

Processor time comes from the kernel's account of the server's threads. The spread of a turn comes from the latencies of
one connection that asks again at once: then each turn has one request, and nothing waits.
"""

import os
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.optimize import nnls

from benchmarks.lib.load_generator import OK, Tally, chunks, closed_loop, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.processor import spent_s, workers
from benchmarks.lib.server import Running
from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.service_times import RARE, Calibration, Spread
from model.checkpoint import Checkpoint
from model.text import TextEncoder

CELLS = {1: (1, 4, 16, 64), 8: (1, 4, 16), 64: (1, 2, 3), 240: (1,)}
"""Connections by texts a request. What they send together fits into one batch, so that a turn has one of each."""

FLOODED = (1, 64)
"""Texts a request of which refusals are measured."""

SATURATING = {1: 64, 8: 16, 64: 8}
"""Connections, by texts a request, that keep a worker busy."""

FLOOD, FLOOD_CONNECTIONS = 2.5, 256
WARM_UP_S = 0.3
LEAST_RATIO = 0.3
"""A latency below the median by more than the turn itself is one of the generator's making."""

STEPS = 250
"""Values that a spread keeps of the usual and of the rare ratios."""


@dataclass(frozen=True)
class Cell:
    """One closed loop: what a turn cost, and the latencies."""

    texts: int
    connections: int
    turn_s: float
    rate: float
    latencies: list[float]


async def measure_cell(server: Running, texts: Sequence[str], size: int, connections: int, seconds: float) -> Cell:
    """Asks over `connections`, each again at once, and reads the server's processor time.

    Raises:
        RuntimeError: a request was not answered with 200.
    """
    requests = [render(part) for part in chunks(texts, size)]
    pids = workers(server.pid)
    before = spent_s(pids)
    tally = await closed_loop(server.port, requests, connections=connections, seconds=seconds, warm_up_s=WARM_UP_S)
    spent = spent_s(pids) - before
    if set(tally.statuses) != {OK}:
        raise RuntimeError(f"{size} texts over {connections} connections: statuses {dict(tally.statuses)}")
    return Cell(size, connections, connections * spent / tally.sent, tally.rate, tally.latencies)


def fit_costs(cells: Sequence[Cell]) -> tuple[float, float, float]:
    """Seconds of a turn, of each request and of each text in it: least squares of relative errors, none negative."""
    rows = np.array([[1.0, cell.connections, cell.connections * cell.texts] for cell in cells])
    seconds = np.array([cell.turn_s for cell in cells])
    costs, _ = nnls(rows / seconds[:, None], np.ones(len(cells)))
    turn_s, request_s, text_s = map(float, costs)
    return turn_s, request_s, text_s


def spread_of(cell: Cell) -> Spread:
    """The ratios of a cell's turns to their median: what a latency has beyond the median is the turn's."""
    middle = statistics.median(cell.latencies)
    ratios = [max(LEAST_RATIO, 1 + (latency - middle) / cell.turn_s) for latency in cell.latencies]
    usual = np.quantile(ratios, np.linspace(0, 1 - RARE, STEPS))
    rare = np.quantile(ratios, np.linspace(1 - RARE, 1, STEPS))
    return Spread(seconds=cell.turn_s, usual=_short(usual), rare=_short(rare))


def _short(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> list[float]:
    return [float(f"{value:.4g}") for value in values]


async def measure_refusal(server: Running, texts: Sequence[str], size: int, cell: Cell, seconds: float) -> float:
    """Seconds of the worker for a refusal: a flood's seconds beyond those of its answers, priced by `cell`."""
    requests = [render(part) for part in chunks(texts, size)]
    pids = workers(server.pid)
    before, rate = spent_s(pids), FLOOD * cell.rate
    loop = OpenLoop(
        server.port,
        requests,
        per_second=rate,
        seconds=seconds,
        connections=FLOOD_CONNECTIONS,
        arrivals=poisson(rate, random.Random(size)),
    )
    await loop.run()
    spent = spent_s(pids) - before
    both: list[Tally] = [loop.tally, loop.drained]
    answered = sum(tally.statuses[OK] for tally in both)
    refused = sum(tally.statuses.total() for tally in both) - answered
    return max(0.0, spent - answered * cell.turn_s / cell.connections) / max(1, refused)


async def calibrate(
    server: Running, texts: Sequence[str], checkpoint: Checkpoint, machine: str, seconds: float
) -> Calibration:
    """Measures every cell for `seconds`, and a flood of single texts and of the longest requests.

    Raises:
        RuntimeError: a request of a closed loop was not answered with 200.
    """
    load_average = os.getloadavg()[0]
    cells = [
        await measure_cell(server, texts, size, connections, seconds)
        for size, counts in CELLS.items()
        for connections in counts
    ]
    refusal_s = {}
    for size in FLOODED:
        full = await measure_cell(server, texts, size, SATURATING[size], seconds)
        refusal_s[size] = await measure_refusal(server, texts, size, full, seconds)
    turn_s, request_s, text_s = fit_costs(cells)
    alone = next(cell for cell in cells if cell.texts == cell.connections == 1)
    encoder = TextEncoder(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens)
    return Calibration(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine,
        load_average=load_average,
        version=checkpoint.version,
        tokens_per_text=statistics.mean(encoded.num_tokens for encoded in encoder.encode(list(texts))),
        turn_s=turn_s,
        request_s=request_s,
        text_s=text_s,
        refusal_s=refusal_s,
        delay_s=max(0.0, statistics.median(alone.latencies) - alone.turn_s),
        spreads=sorted((spread_of(cell) for cell in cells if cell.connections == 1), key=lambda spread: spread.seconds),
    )
