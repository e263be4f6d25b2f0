"""Measures the server at several times saturation, and its recovery within two seconds.

    python -m benchmarks.faults.overload [--times 5] [--seconds 60] [--request-texts 64]
    python -m benchmarks.faults.overload sst2/test.parquet --request-texts 1 --times 3 --seconds 10 --connections 256
    python -m benchmarks.faults.overload sst2/test.parquet --request-texts 1 --times 3 --seconds 10 --no-reuse

Measures saturation by a closed loop, then the latency of a single text ten times a second while nothing else is asked.
Then sends requests at a fixed rate, over at most --connections that are used again or with a connection for each, and
goes on asking for single texts and for `/health/ready`, before, meanwhile and after. FILE is such as sst2/test.parquet;
without it, texts are made up. A latency counts from when a request was due. With --beside FOLDER the code of another
checkout is measured first. The server has one half of the cores and the generator the other.

Fails if an answer is other than 200, 503 or 504 or none comes, if readiness was ever other than 200 (an overloaded
server is well: it refuses by itself what it cannot do, and taking it out would push the load onto its neighbours), or
if the latency, the middle of half a second, is not back below the highest of before within 2 s after the last request
left.
"""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import uvloop

from benchmarks.lib.cores import halves, on_cores
from benchmarks.lib.load_generator import LOST, OK, chunks, closed_loop, percentile, render
from benchmarks.lib.open_loop import MAX_CONNECTIONS, OpenLoop
from benchmarks.lib.probe import READY, Probe, recovery_s
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts, sentences
from training.provenance import describe_machine

QUIET_S = 10.0
AFTER_S = 10.0
RECOVERY_S = 2.0

REFUSALS = (503, 504)


@dataclass(frozen=True, slots=True)
class Flood:
    """Requests that are sent: how many times saturation, for how long, over which connections."""

    times: float
    seconds: float
    size: int
    connections: int
    reuse: bool


async def overload(port: int, texts: Sequence[str], flood: Flood) -> bool:
    """Prints what was seen; whether all of it is as it must be."""
    requests = [render(part, close=not flood.reuse) for part in chunks(texts, flood.size)]
    full = await closed_loop(port, requests, connections=64 if flood.size == 1 else 16, seconds=5.0, warm_up_s=1.0)
    caller, balancer = Probe(port, render(texts[:1])), Probe(port, READY)
    probes = [asyncio.create_task(probe.run()) for probe in (caller, balancer)]
    quiet = time.perf_counter()
    await asyncio.sleep(QUIET_S)
    begin = time.perf_counter()
    loop = OpenLoop(
        port,
        requests,
        per_second=flood.times * full.rate,
        seconds=flood.seconds,
        connections=flood.connections,
        reuse=flood.reuse,
    )
    running = asyncio.create_task(loop.run())
    while loop.tally.seconds == 0:  # noqa: ASYNC110  # it then waits for what is still unanswered
        await asyncio.sleep(0.01)
    end = time.perf_counter()
    await running
    await asyncio.sleep(AFTER_S)
    for probe in probes:
        probe.cancel()
    await asyncio.gather(*probes, return_exceptions=True)

    statuses = loop.tally.statuses + loop.drained.statuses
    otherwise = statuses.total() - sum(statuses[status] for status in (OK, *REFUSALS, LOST))
    before = caller.latencies(quiet, begin)
    recovered = recovery_s(caller, end, max(before))
    unready = sum(status != OK for _, status, _ in balancer.answers)
    accepted, refused = loop.tally.latencies + loop.drained.latencies, loop.tally.refusals + loop.drained.refusals
    print(
        f"saturation {full.rate:.0f} requests of {flood.size} texts a second; {loop.tally.sent / flood.seconds:.0f} a "
        f"second left for {flood.seconds:.0f} s: {statuses[OK]:,} answered, {sum(statuses[s] for s in REFUSALS):,} "
        f"refused, {statuses[LOST] + loop.unanswered} lost, {otherwise} answered otherwise; "
        f"{loop.tally.rate / full.rate:.2f} of saturation was answered"
    )
    print(
        f"answered after p50 {percentile(accepted, 50) * 1e3:.0f} ms, p99 {percentile(accepted, 99) * 1e3:.0f} ms; "
        f"refused after p50 {percentile(refused, 50) * 1e3:.0f} ms, p99 {percentile(refused, 99) * 1e3:.0f} ms"
    )
    print(
        f"readiness asked {len(balancer.answers):,} times: {unready} times other than ready, slowest "
        f"{max(seconds for _, _, seconds in balancer.answers) * 1e3:.0f} ms"
    )
    print(
        f"one text: p50 {percentile(before, 50) * 1e3:.0f} ms and at most {max(before) * 1e3:.0f} ms before, p50 "
        f"{percentile(caller.latencies(begin, end), 50) * 1e3:.0f} ms meanwhile; recovery {recovered:.1f} s"
    )
    return not (statuses[LOST] or loop.unanswered or otherwise or unready or recovered > RECOVERY_S)


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--times", default=5.0, show_default=True, help="Of saturation.")
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--request-texts", "size", default=64, show_default=True)
@click.option("--connections", default=MAX_CONNECTIONS, show_default=True, help="Most open at a time.")
@click.option("--reuse/--no-reuse", default=True, help="Whether a connection has more than one request.")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--beside", type=click.Path(path_type=Path), help="Another checkout, whose engine is built.")
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to this code.")
def main(
    file: Path | None,
    times: float,
    seconds: float,
    size: int,
    connections: int,
    reuse: bool,
    checkpoint: Path,
    beside: Path | None,
    options: tuple[str, ...],
) -> None:
    """Prints what became of the requests, readiness and the recovery."""
    texts = read_texts(file, column="text") if file else sentences(2048, random.Random(0))
    flood, model = Flood(times, seconds, size, connections, reuse), f"--model={checkpoint.name}={checkpoint.resolve()}"
    theirs, ours = halves(os.sched_getaffinity(0))
    print(f"{describe_machine()}; {len(theirs)} of the cores for the server, {len(ours)} for the generator")
    good = True
    with on_cores(ours):
        for checkout in (beside, None) if beside else (None,):
            print(f"{checkout or 'this code'}:")
            with contextlib.ExitStack() as stack:
                with on_cores(theirs):
                    server = running_server(model, *(() if checkout else options), checkout=checkout)
                    port = stack.enter_context(server).port
                good = uvloop.run(overload(port, texts, flood))
    sys.exit(not good)


if __name__ == "__main__":
    main()
