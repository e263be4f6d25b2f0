"""Measures `/predict` beside explanations, and explanations beside other work.

    python -m benchmarks.http.explain_load [--rounds 6] [--seconds 5] [--load 0.3]

Single texts go to `/predict`, once at a fixed rate that is a share of what the server can take, and once as fast as it
answers; each alone and with a closed loop of `/explain` beside it, in turns within each round and first the one, then
the other. Then a new server is asked for explanations, one after the other from its first, while foreign processes
compute on every processor. Fails if the 99th percentile of `/predict` with explanations beside it, over that without,
is above 1.5 in the middle of the rounds, if the 95th of an explanation of one sentence is above 3 s or the first one
takes longer than that, or if a request gets no 200.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import uvloop

from benchmarks.lib.load_generator import OK, Tally, closed_loop, connect, cycle, percentile, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.ratios import Spread
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import sentences

BAR = 1.5

EXPLAIN_BAR_S = 3.0

CONNECTIONS = 16
"""Callers of `/predict` that saturate it."""

SATURATION_S = 3.0
SETTLE_S = 0.5
"""Between two measurements, so that an explanation that was under way is done."""

SENTENCES = sentences(512, random.Random(0))
PREDICT = [render([text]) for text in SENTENCES]
EXPLAIN = [render([text], "/explain", gates=True) for text in SENTENCES]

Load = Callable[[], Awaitable[tuple[Tally, int]]]
"""Sends requests to `/predict` for a while; the answers, and the number of requests that got none."""


@dataclass(slots=True)
class Rounds:
    """Latencies of `/predict` under one load, with and without explanations.

    Attributes:
        alone, beside: seconds of the 99th percentile of each round, without explanations and with.
        explained: answers of `/explain`.
        failed: answers other than 200.
    """

    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    explained: Tally = field(default_factory=Tally)
    failed: int = 0

    @property
    def ratio(self) -> Spread:
        """Ratio of latency with explanations to without."""
        return Spread.of(self.beside, self.alone)

    @property
    def good(self) -> bool:
        """True if both are as fast as they must be and each request got its 200."""
        return self.ratio.median <= BAR and p95(self.explained) <= EXPLAIN_BAR_S and not self.failed

    def add(self, predicted: Tally, unanswered: int, explained: Tally | None) -> None:
        """Adds the latencies of one measurement."""
        self.failed += not_ok(predicted) + unanswered
        (self.alone if explained is None else self.beside).append(percentile(predicted.latencies, 99))
        if explained is not None:
            self.failed += not_ok(explained)
            self.explained.latencies += explained.latencies
            self.explained.statuses += explained.statuses
            self.explained.seconds += explained.seconds

    def __str__(self) -> str:
        alone, beside = (percentile(values, 50) * 1e3 for values in (self.alone, self.beside))
        return (
            f"p99 {alone:.2f} ms alone, {beside:.2f} ms beside explanations: {self.ratio}, at most {BAR}; "
            f"{described(self.explained)}; {self.failed} requests got no 200: {'holds' if self.good else 'FAILS'}"
        )


def not_ok(tally: Tally) -> int:
    """Answers other than 200."""
    return tally.statuses.total() - tally.statuses[OK]


def p95(explained: Tally) -> float:
    """95th percentile in seconds; infinite of no answers."""
    return percentile(explained.latencies, 95) if explained.latencies else float("inf")


def described(explained: Tally) -> str:
    """Figures of explanations in words."""
    middle = percentile(explained.latencies, 50)
    return f"{explained.rate:.1f} explanations a second, p50 {middle:.2f} s, p95 {p95(explained):.2f} s"


async def explain(port: int, *, connections: int, seconds: float) -> Tally:
    """Explanations, one after the other on each connection; unlike `closed_loop` it counts those that end late."""
    tally = Tally()
    begin = time.perf_counter()
    rest = cycle(EXPLAIN)

    async def one() -> None:
        connection = await connect(port)
        while (asked := time.perf_counter()) < begin + seconds:
            status, _ = await connection.ask(next(rest))
            tally.add(status, time.perf_counter() - asked)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    tally.seconds = time.perf_counter() - begin
    return tally


async def measure(port: int, rounds: int, seconds: float, load: float, connections: int) -> dict[str, Rounds]:
    """Rounds by the name of the load."""
    await explain(port, connections=1, seconds=1.0)  # the checkpoint is opened
    full = await closed_loop(port, PREDICT, connections=CONNECTIONS, seconds=SATURATION_S, warm_up_s=1.0)
    rate = load * full.rate
    print(f"saturation {full.rate:.0f} requests a second")

    async def at_rate() -> tuple[Tally, int]:
        loop = OpenLoop(port, PREDICT, per_second=rate, seconds=seconds)
        return await loop.run(), loop.unanswered

    async def saturated() -> tuple[Tally, int]:
        return await closed_loop(port, PREDICT, connections=CONNECTIONS, seconds=seconds), 0

    loads: dict[str, Load] = {f"{rate:.0f} requests a second": at_rate, "saturated": saturated}
    found = {name: Rounds() for name in loads}
    for number in range(rounds):
        for name, predict in loads.items():
            for explaining in (False, True) if number % 2 == 0 else (True, False):
                beside = None
                if explaining:
                    beside = asyncio.create_task(explain(port, connections=connections, seconds=seconds))
                found[name].add(*await predict(), None if beside is None else await beside)
                await asyncio.sleep(SETTLE_S)
    return found


@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Processes in sessions of their own that compute all the time, at the normal priority."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command, start_new_session=True) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@click.command(help=__doc__)
@click.option("--rounds", default=6, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement, four a round.")
@click.option("--load", default=0.3, show_default=True, help="Of saturation.")
@click.option("--connections", default=2, show_default=True, help="That ask for explanations.")
@click.option("--busy", default=2, show_default=True, help="Foreign processes that compute.")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(
    rounds: int,
    seconds: float,
    load: float,
    connections: int,
    busy: int,
    checkpoint: Path,
    options: tuple[str, ...],
) -> None:
    """Prints the ratios of the 99th percentiles, and the times of explanations."""
    serving = (f"--model={checkpoint.name}={checkpoint}", *options)
    good = True
    if rounds:
        with running_server(*serving) as server:
            found = uvloop.run(measure(server.port, rounds, seconds, load, connections))
        for name, figures in found.items():
            print(f"{name}: {figures}")
            good &= figures.good
    with running_server(*serving) as server, busy_processes(busy):
        explained = uvloop.run(explain(server.port, connections=1, seconds=max(1, rounds) * seconds))
    if not_ok(explained):
        sys.exit(f"{not_ok(explained)} explanations got no 200 beside {busy} busy processes")
    first_s = explained.latencies[0]
    holds = max(first_s, p95(explained)) <= EXPLAIN_BAR_S
    print(
        f"beside {busy} busy processes: first {first_s:.2f} s; {described(explained)}; at most {EXPLAIN_BAR_S:g} s: "
        f"{'holds' if holds else 'FAILS'}"
    )
    sys.exit(not (good and holds))


if __name__ == "__main__":
    main()
