"""Measures the server at five times saturation, and its recovery within two seconds.

    python -m benchmarks.faults.overload [--times 5] [--seconds 60] [--request-texts 64]

Measures saturation, then the latency of a single text ten times a second while nothing else is asked. Then sends
requests of 64 texts at five times saturation for a minute, and goes on asking for single texts and for
`/health/ready`, before, meanwhile and after.

Fails if an answer is other than 200, 503 or 504 or none comes, if readiness was ever other than 200 (an overloaded
server is well: it refuses by itself what it cannot do, and taking it out would push the load onto its neighbours), or
if the latency, the middle of half a second, is not back below the highest of before within 2 s after the last request
left.
"""

import asyncio
import math
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import uvloop

from benchmarks.lib.load_generator import LOST, OK, chunks, closed_loop, connect, percentile, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.packed import SHIPPED
from benchmarks.lib.server import running_server
from benchmarks.lib.texts import sentences

QUIET_S = 10.0
AFTER_S = 10.0
ASK_EVERY_S = 0.1
RECOVERY_S = 2.0
WINDOW = 5
"""Answers, half a second."""

REFUSALS = (503, 504)
READY = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(slots=True)
class Probe:
    """Asks one thing again and again, each time on a new connection, as a balancer or a new caller does.

    Attributes:
        answers: when each ended, its status and the seconds it took.
    """

    port: int
    request: bytes
    answers: list[tuple[float, int, float]] = field(default_factory=list)

    async def run(self) -> None:
        """Asks for readiness until it is cancelled."""
        while True:
            began = time.perf_counter()
            connection = await connect(self.port)
            status, _ = await connection.ask(self.request)
            connection.close()
            now = time.perf_counter()
            self.answers.append((now, status, now - began))
            await asyncio.sleep(ASK_EVERY_S)

    def latencies(self, begin: float, end: float) -> list[float]:
        """Figures of the answers in that time."""
        return [seconds for at, _, seconds in self.answers if begin <= at < end]


def recovery_s(probe: Probe, end: float, normal_s: float) -> float:
    """Seconds after `end` until the last answer around which it was slow.

    That is where the middle of `WINDOW` answers took longer than `normal_s`: a single slow one is the machine's. An
    answer that is no 200 counts as one that took for ever.
    """
    after = [(at, seconds if status == OK else math.inf) for at, status, seconds in probe.answers if at >= end]
    windows = [after[start : start + WINDOW] for start in range(max(1, len(after) - WINDOW + 1))]
    slow = [
        window[len(window) // 2][0] - end
        for window in windows
        if window and statistics.median(seconds for _, seconds in window) > normal_s
    ]
    return max(slow, default=0.0)


async def overload(port: int, size: int, times: float, seconds: float) -> bool:
    """Prints what was seen; whether all of it is as it must be."""
    texts = sentences(2048, random.Random(0))
    requests = [render(part) for part in chunks(texts, size)]
    full = await closed_loop(port, requests, connections=16, seconds=5.0, warm_up_s=1.0)
    caller, balancer = Probe(port, render(texts[:1])), Probe(port, READY)
    probes = [asyncio.create_task(probe.run()) for probe in (caller, balancer)]
    quiet = time.perf_counter()
    await asyncio.sleep(QUIET_S)
    begin = time.perf_counter()
    loop = OpenLoop(port, requests, per_second=times * full.rate, seconds=seconds)
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
    print(
        f"saturation {full.rate:.0f} requests of {size} texts a second; {loop.tally.sent / seconds:.0f} a second left "
        f"for {seconds:.0f} s: {statuses[OK]:,} answered, {sum(statuses[s] for s in REFUSALS):,} refused, "
        f"{statuses[LOST] + loop.unanswered} lost, {otherwise} answered otherwise; "
        f"{loop.tally.rate / full.rate:.2f} of saturation was answered"
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
@click.option("--times", default=5.0, show_default=True, help="Of saturation.")
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--request-texts", "size", default=64, show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(times: float, seconds: float, size: int, checkpoint: Path, options: tuple[str, ...]) -> None:
    """Prints what became of the requests, readiness and the recovery."""
    with running_server(f"--model={checkpoint.name}={checkpoint}", *options) as server:
        good = uvloop.run(overload(server.port, size, times, seconds))
    sys.exit(not good)


if __name__ == "__main__":
    main()
