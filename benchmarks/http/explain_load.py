"""Measures the latency of `/predict` while others ask for explanations.

    python -m benchmarks.http.explain_load [--rounds 6] [--seconds 5] [--load 0.3]

Single texts go to `/predict` at a fixed rate, a share of what the server can take, alone and with a closed loop of
`/explain` beside it, in turns within each round and first the one, then the other. The process that explains runs
already. Fails if the 99th percentile of `/predict` with explanations beside it, over that without, is above 1.5 in the
middle of the rounds, or if a request gets no 200.
"""

import asyncio
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click
import uvloop

from benchmarks.lib.load_generator import OK, Tally, closed_loop, percentile, render
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.packed import SHIPPED
from benchmarks.lib.ratios import Spread
from benchmarks.lib.server import running_server
from benchmarks.lib.texts import sentences

BAR = 1.5

CONNECTIONS = 16
"""Callers of `/predict` that saturate it."""

SATURATION_S = 3.0
SETTLE_S = 0.5
"""Between two measurements, so that an explanation that was under way is done."""


@dataclass(slots=True)
class Rounds:
    """Latencies of one round, with and without explanations.

    Attributes:
        alone, beside: seconds of the 99th percentile of each round, without explanations and with.
        medians: seconds of the 50th, of all rounds: without, with.
        explained: answers of `/explain`.
        failed: answers other than 200.
    """

    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    medians: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    explained: Tally = field(default_factory=Tally)
    failed: int = 0

    @property
    def ratio(self) -> Spread:
        """Ratio of latency with explanations to without."""
        return Spread.of(self.beside, self.alone)

    def add(self, predicted: Tally, unanswered: int, explained: Tally | None) -> None:
        """Measures latencies of one round."""
        self.failed += predicted.statuses.total() - predicted.statuses[OK] + unanswered
        (self.alone if explained is None else self.beside).append(percentile(predicted.latencies, 99))
        self.medians[explained is not None].append(percentile(predicted.latencies, 50))
        if explained is not None:
            self.failed += explained.statuses.total() - explained.statuses[OK]
            self.explained.latencies += explained.latencies
            self.explained.statuses += explained.statuses
            self.explained.seconds += explained.seconds


async def measure(port: int, rounds: int, seconds: float, load: float, connections: int) -> Rounds:
    """Prints the figures of each round."""
    texts = sentences(512, random.Random(0))
    predict = [render([text]) for text in texts]
    explain = [render([text], "/explain", gates=True) for text in texts]
    await closed_loop(port, explain[:1], connections=1, seconds=1.0)  # the process has begun
    full = await closed_loop(port, predict, connections=CONNECTIONS, seconds=SATURATION_S, warm_up_s=1.0)
    print(f"saturation {full.rate:.0f} requests a second; asked at {load * full.rate:.0f}")
    found = Rounds()
    for number in range(rounds):
        for explaining in (False, True) if number % 2 == 0 else (True, False):
            beside = None
            if explaining:
                beside = asyncio.create_task(closed_loop(port, explain, connections=connections, seconds=seconds))
            loop = OpenLoop(port, predict, per_second=load * full.rate, seconds=seconds)
            predicted = await loop.run()
            found.add(predicted, loop.unanswered, None if beside is None else await beside)
            await asyncio.sleep(SETTLE_S)
        print(f"p99 {found.alone[-1] * 1e3:.2f} ms alone, {found.beside[-1] * 1e3:.2f} ms beside explanations")
    return found


@click.command(help=__doc__)
@click.option("--rounds", default=6, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement, two a round.")
@click.option("--load", default=0.3, show_default=True, help="Of saturation.")
@click.option("--connections", default=2, show_default=True, help="That ask for explanations.")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(
    rounds: int, seconds: float, load: float, connections: int, checkpoint: Path, options: tuple[str, ...]
) -> None:
    """Prints the ratio of the 99th percentiles."""
    with running_server(f"--model={checkpoint.name}={checkpoint}", *options) as server:
        found = uvloop.run(measure(server.port, rounds, seconds, load, connections))
    alone, beside = (percentile(medians, 50) * 1e3 for medians in found.medians)
    explained = found.explained
    print(
        f"p50 {alone:.2f} ms alone, {beside:.2f} ms beside; {explained.rate:.1f} explanations a second, "
        f"{percentile(explained.latencies, 50):.2f} s each; {found.failed} requests got no 200"
    )
    good = found.ratio.median <= BAR and not found.failed
    print(f"p99 beside explanations over alone: {found.ratio}, at most {BAR}: {'holds' if good else 'FAILS'}")
    sys.exit(not good)


if __name__ == "__main__":
    main()
