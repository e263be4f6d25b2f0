"""Measures the service times of one worker on a core of its own, from a real server on the loopback.

Processor time comes from the kernel's account of the server's threads, and the number of batches from its metrics. The
spread of a request comes from the latencies of one connection that asks again at once: then each batch has one request,
and nothing waits. Nothing is measured at the loads that are predicted: the most are 30% of saturation and closed loops.
"""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from scipy.optimize import nnls

from app.batching.policy import INLINE_TOKENS
from benchmarks.lib.load_generator import OK, Tally, chunks, closed_loop, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.processor import spent_s, workers
from benchmarks.lib.server import Running
from benchmarks.simulation.alone import ask_alone
from benchmarks.simulation.arrivals import poisson
from benchmarks.simulation.core import Machine
from benchmarks.simulation.machine import PAUSE_S, steps
from benchmarks.simulation.predict import SATURATING
from benchmarks.simulation.service_times import RARE, Calibration, GeneratorCosts, Spread, Waking
from benchmarks.simulation.timed_loop import TimedLoop
from model.checkpoint import Checkpoint
from model.text import TextEncoder

CELLS = {1: (1, 4, 16, 64), 8: (1, 4, 8), 64: (1, 3, 4), 240: (1,)}
"""Connections by texts a request. Each cell's batches are all computed on the event loop, or, where all texts together
are more than it computes, all but the first handed over."""

SIZES = (1, 64)
"""Texts a request of which refusals, waking and the generator are measured."""

IDLE_S = (2e-4, 2e-3)
"""Idle times after which a request is measured."""

GENERATOR_LOAD = 0.3
"""Share of saturation at which the generator's costs are measured."""

FLOOD, FLOOD_CONNECTIONS = 2.5, 256
WARM_UP_S = 0.3
LEAST_RATIO = 0.3
"""A latency below the median by more than the batch itself is one of the client's making."""


@dataclass(frozen=True)
class Cell:
    """A closed loop and what it cost.

    Attributes:
        texts, connections: of each request, and that ask.
        request_s: processor time of the server for a request.
        batches: for a request.
        handed_over: whether the device thread computed them.
        rate: answers a second.
        latencies: of one connection alone; empty of several.
    """

    texts: int
    connections: int
    request_s: float
    batches: float
    handed_over: bool
    rate: float
    latencies: list[float]


def count_batches(server: Running) -> float:
    """Batches that a server of one worker has computed."""
    page = httpx.get(f"{server.url}/metrics").text
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == "sluice_batch_texts_count")


async def measure_cell(
    server: Running, texts: Sequence[str], size: int, connections: int, seconds: float, tokens_per_text: float
) -> Cell:
    """Asks over `connections`, each again at once, and reads the server's processor time.

    Raises:
        RuntimeError: a request was not answered with 200.
    """
    requests = [render(part) for part in chunks(texts, size)]
    pids = workers(server.pid)
    before, batches = spent_s(pids), count_batches(server)
    if connections == 1:
        latencies = ask_alone(server.port, requests, idle_s=0.0, seconds=seconds)
        sent, rate = len(latencies), len(latencies) / seconds
    else:
        tally = await closed_loop(server.port, requests, connections=connections, seconds=seconds, warm_up_s=WARM_UP_S)
        if set(tally.statuses) != {OK}:
            raise RuntimeError(f"{size} texts over {connections} connections: statuses {dict(tally.statuses)}")
        sent, rate, latencies = tally.sent, tally.rate, []
    return Cell(
        texts=size,
        connections=connections,
        request_s=(spent_s(pids) - before) / sent,
        batches=(count_batches(server) - batches) / sent,
        handed_over=size * connections * tokens_per_text > INLINE_TOKENS,
        rate=rate,
        latencies=latencies,
    )


def fit_costs(cells: Sequence[Cell]) -> tuple[float, float, float, float]:
    """Seconds of a batch, of each request and text in it, and of handing it over.

    Least squares of relative errors, none negative.
    """
    rows = np.array([[cell.batches, 1.0, cell.texts, cell.batches * cell.handed_over] for cell in cells])
    seconds = np.array([cell.request_s for cell in cells])
    costs, _ = nnls(rows / seconds[:, None], np.ones(len(cells)))
    batch_s, request_s, text_s, handed_over_s = map(float, costs)
    return batch_s, request_s, text_s, handed_over_s


def spread_of(latencies: Sequence[float], batch_s: float) -> Spread:
    """The ratios of batches to their median: what a latency has beyond the median is the batch's.

    What is longer by a pause of the machine is left out, which is measured by itself.
    """
    middle = statistics.median(latencies)
    ratios = [max(LEAST_RATIO, 1 + (latency - middle) / batch_s) for latency in latencies if latency < middle + PAUSE_S]
    border = float(np.quantile(ratios, 1 - RARE))
    usual, rare = [ratio for ratio in ratios if ratio < border], [ratio for ratio in ratios if ratio >= border]
    return Spread(seconds=batch_s, usual=steps(usual or rare), rare=steps(rare))


def waking_of(latencies: Sequence[float], at_once: Sequence[float], texts: int, idle_s: float) -> Waking:
    """Differences, at each quantile, of latencies after an idle time and those of requests that follow at once."""
    differences = [after - before for after, before in zip(steps(latencies), steps(at_once), strict=True)]
    return Waking(texts=texts, idle_s=idle_s, seconds=[float(f"{value:.4g}") for value in differences])


def delay_of(alone: Cell, client: GeneratorCosts) -> float:
    """Time that a request alone takes beside the work of the server and of its client."""
    return max(0.0, statistics.median(alone.latencies) - alone.request_s - client.send_s - client.read_s)


async def measure_refusal(server: Running, requests: Sequence[bytes], cell: Cell, seconds: float) -> float:
    """Seconds of the worker for a refusal: a flood's seconds beyond those of its answers, priced by `cell`."""
    pids = workers(server.pid)
    before, rate = spent_s(pids), FLOOD * cell.rate
    loop = OpenLoop(
        server.port,
        requests,
        per_second=rate,
        seconds=seconds,
        connections=FLOOD_CONNECTIONS,
        arrivals=poisson(rate, random.Random(cell.texts)),
    )
    await loop.run()
    spent = spent_s(pids) - before
    both: list[Tally] = [loop.tally, loop.drained]
    answered = sum(tally.statuses[OK] for tally in both)
    refused = sum(tally.statuses.total() for tally in both) - answered
    return max(0.0, spent - answered * cell.request_s) / max(1, refused)


async def measure_generator(server: Running, requests: Sequence[bytes], rate: float, seconds: float) -> GeneratorCosts:
    """Costs of the load generator at a rate, on a core of its own."""
    loop = TimedLoop(
        server.port, requests, per_second=rate, seconds=seconds, arrivals=poisson(rate, random.Random("generator"))
    )
    await loop.run()
    return loop.costs


async def calibrate(
    server: Running,
    texts: Sequence[str],
    checkpoint: Checkpoint,
    description: str,
    load_average: float,
    core: Machine,
    seconds: float,
) -> Calibration:
    """Measures every cell for `seconds`, and for each of `SIZES` waking, a flood and the generator.

    Args:
        server: with one worker.
        texts: sent over and over.
        checkpoint: of the server.
        description: of the machine.
        load_average: of the machine before anything was measured.
        core: what was measured of it.
        seconds: of each measurement.

    Raises:
        RuntimeError: a request of a closed loop was not answered with 200.
    """
    encoder = TextEncoder(checkpoint.tokenizer, max_tokens=checkpoint.config.max_tokens)
    tokens_per_text = statistics.mean(encoded.num_tokens for encoded in encoder.encode(list(texts)))
    cells = [
        await measure_cell(server, texts, size, connections, seconds, tokens_per_text)
        for size, counts in CELLS.items()
        for connections in counts
    ]
    batch_s, request_s, text_s, handed_over_s = fit_costs(cells)
    alone = {cell.texts: cell for cell in cells if cell.connections == 1}
    refusal_s, generator, wakings = {}, {}, []
    for size in SIZES:
        requests = [render(part) for part in chunks(texts, size)]
        for idle_s in IDLE_S:
            latencies = ask_alone(server.port, requests, idle_s=idle_s, seconds=seconds)
            wakings.append(waking_of(latencies, alone[size].latencies, size, idle_s))
        full = await measure_cell(server, texts, size, SATURATING[size], seconds, tokens_per_text)
        refusal_s[size] = await measure_refusal(server, requests, full, seconds)
        generator[size] = await measure_generator(server, requests, GENERATOR_LOAD * full.rate, seconds)
    return Calibration(
        date=datetime.now(UTC).date().isoformat(),
        machine=description,
        load_average=load_average,
        version=checkpoint.version,
        tokens_per_text=tokens_per_text,
        batch_s=batch_s,
        request_s=request_s,
        text_s=text_s,
        handed_over_s=handed_over_s,
        refusal_s=refusal_s,
        delay_s=delay_of(alone[1], generator[1]),
        spreads=[spread_of(cell.latencies, cell.request_s - request_s) for _, cell in sorted(alone.items())],
        wakings=tuple(wakings),
        generator=generator,
        core=core,
    )
