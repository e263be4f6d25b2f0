"""Runs the server at 80% of saturation with texts of every length; checks answers and memory.

    python -m benchmarks.faults.soak [--seconds 60] [--serve-option=--workers=2]

Asks for each text alone, then sends English, Chinese and emoji of 1 to 5,000 characters, up to 64 texts a request. Each
minute begins with a few seconds of as many requests as the server answers, which tell how fast it is now that others
share its machine; the rest of the minute is at 80% of that. Every answer is compared with those given alone, and the
resident memory of the server's processes is read all the while. The warm-up, a quarter of the time and at most a
minute, is at twice what it answers: a full queue has then taken the memory that it takes, as it would later, whenever
a neighbour slows the machine.

Fails if an answer is wrong or lost, or if memory grows: after the warm-up, the middle of the last third may exceed that
of the first by 2%; of a run shorter than five minutes, in which noise weighs more, by 5% and 10 MB. Requests that the
server refuses with 503 or 504 are counted; they are neither.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import uvloop

from benchmarks.http.mixed_texts import TOLERANCE, difference
from benchmarks.lib.load_generator import LOST, OK, Tally, closed_loop, every, percentile, render
from benchmarks.lib.memory import MEGABYTE, resident
from benchmarks.lib.open_loop import OpenLoop
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import of_any_kind

MAX_CHARS = 5000
NUM_REQUESTS = 300
CONNECTIONS = 16
"""That find out what the server can."""

BUSY, WARM_UP_LOAD = 0.8, 2.0
"""Of saturation."""

REFUSALS = (503, 504)
ROUND_S = 60.0
SATURATION_SHARE = 0.1
"""Of a round."""

WARM_UP, MAX_WARM_UP_S = 0.25, 60.0
"""Of the time: allocators and caches fill."""

LONG_S = 300.0
GROWTH_SHARE = 0.02
SHORT_GROWTH_SHARE, SHORT_GROWTH_BYTES = 0.05, 10 * MEGABYTE
"""That may be noise: a process that leaks a kilobyte a request shows 20 MB after a minute at 300 requests a second."""

INTERVAL_S = 0.5


def thirds(samples: Sequence[int]) -> tuple[float, float]:
    """The middle of the first and of the last third of the samples.

    >>> thirds([1, 2, 3, 9, 9, 9, 4, 5, 6])
    (2, 5)
    """
    length = max(1, len(samples) // 3)
    return statistics.median(samples[:length]), statistics.median(samples[-length:])


def allowed(before: float, seconds: float) -> float:
    """Largest memory allowed at the end of a run of so many seconds.

    >>> allowed(100 * MEGABYTE, 60) / MEGABYTE, allowed(100 * MEGABYTE, 900) / MEGABYTE
    (115.0, 102.0)
    """
    if seconds < LONG_S:
        return before * (1 + SHORT_GROWTH_SHARE) + SHORT_GROWTH_BYTES
    return before * (1 + GROWTH_SHARE)


@dataclass(slots=True)
class Judge:
    """Compares answers with those that the same texts got alone.

    Attributes:
        expected: by request, the predictions of its texts.
        statuses: of all answers.
        wrong: answers with another prediction than is expected, or another number of them.
    """

    expected: dict[bytes, list[dict[str, Any]]]
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    _right: dict[bytes, bytes] = field(default_factory=dict)

    def see(self, request: bytes, status: int, body: bytes) -> None:
        """Judges one answer by its status and body."""
        self.statuses[status] += 1
        # Most are the bytes that were found right before: comparing those costs the generator nothing.
        if status != OK or self._right.get(request) == body:
            return
        if agree(self.expected[request], json.loads(body)["predictions"]):
            self._right[request] = body
        else:
            self.wrong += 1

    @property
    def failed(self) -> int:
        """Answers that were neither given nor refused: lost ones, and statuses that nobody expects."""
        return sum(count for status, count in self.statuses.items() if status not in (OK, *REFUSALS))


def agree(alone: Sequence[dict[str, Any]], together: Sequence[dict[str, Any]]) -> bool:
    """Checks that each text got the prediction that it got alone."""
    return len(alone) == len(together) and all(
        difference(one, among) <= TOLERANCE for one, among in zip(alone, together, strict=True)
    )


def make_texts(rng: random.Random) -> list[list[str]]:
    """Numbers of texts of the requests: 1 to 64, most of few."""
    sizes = (1, 1, 1, 4, 16, 64)
    return [[of_any_kind(rng, MAX_CHARS) for _ in range(rng.choice(sizes))] for _ in range(NUM_REQUESTS)]


async def ask_alone(port: int, requests: Sequence[Sequence[str]]) -> Judge:
    """A judge who knows what each text gets alone.

    Raises:
        ClickException: one got no answer.
    """
    alone: dict[bytes, dict[str, Any]] = {}

    def note(request: bytes, status: int, body: bytes) -> None:
        if status != OK:
            raise click.ClickException(f"a text alone got {status}")
        alone[request] = json.loads(body)["predictions"][0]

    await every(port, list({render([text]): None for texts in requests for text in texts}), note)
    return Judge({render(texts): [alone[render([text])] for text in texts] for texts in requests})


async def soak(port: int, pid: int, judge: Judge, seconds: float) -> tuple[list[Tally], list[int]]:
    """Answers at 80% of saturation in each round, and memory meanwhile; both without the warm-up."""
    samples: list[int] = []
    requests = list(judge.expected)

    async def load(share: float, whole: float) -> Tally:
        full_s = SATURATION_SHARE * whole
        full = await closed_loop(port, requests, connections=CONNECTIONS, seconds=full_s, seen=judge.see)
        rate = share * max(1.0, full.rate)
        loop = OpenLoop(port, requests, per_second=rate, seconds=whole - full_s, seen=judge.see)
        tally = await loop.run()
        judge.statuses[LOST] += loop.unanswered
        return tally

    async def watch() -> None:
        while True:
            samples.append(await asyncio.to_thread(resident, pid))
            await asyncio.sleep(INTERVAL_S)

    ends = time.monotonic() + seconds
    await load(WARM_UP_LOAD, min(WARM_UP * seconds, MAX_WARM_UP_S))
    watching = asyncio.create_task(watch())
    rounds = []
    while (left := ends - time.monotonic()) > 1:
        rounds.append(await load(BUSY, min(ROUND_S, left)))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return rounds, samples


@click.command(help=__doc__)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--seed", default=0, show_default=True)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(seconds: float, checkpoint: Path, seed: int, options: tuple[str, ...]) -> None:
    """Prints what was answered, and the memory of the first and the last third."""
    requests = make_texts(random.Random(seed))
    with running_server(f"--model={checkpoint.name}={checkpoint}", *options) as server:
        judge = uvloop.run(ask_alone(server.port, requests))
        rounds, samples = uvloop.run(soak(server.port, server.pid, judge, seconds))
    before, after = thirds(samples)
    latencies = [latency for tally in rounds for latency in tally.latencies]
    rates = [tally.sent / tally.seconds for tally in rounds]
    lost, refused = judge.statuses[LOST], sum(judge.statuses[status] for status in REFUSALS)
    print(
        f"{judge.statuses.total():,} requests in {seconds:.0f} s, {min(rates):.0f} to {max(rates):.0f} a second "
        f"at {BUSY:.0%} of saturation; {judge.wrong} wrong, {lost} lost, {refused} refused, "
        f"{judge.failed - lost} otherwise failed; p50 {percentile(latencies, 50) * 1e3:.0f} ms, "
        f"p99 {percentile(latencies, 99) * 1e3:.0f} ms"
    )
    print(
        f"resident memory {before / MEGABYTE:.1f} MB in the first third after the warm-up, {after / MEGABYTE:.1f} in "
        f"the last ({after / before - 1:+.1%}), most {max(samples) / MEGABYTE:.1f}; at most "
        f"{allowed(before, seconds) / MEGABYTE:.1f} are allowed"
    )
    step = max(1, round(ROUND_S / INTERVAL_S))
    course = ", ".join(f"{sample / MEGABYTE:.0f}" for sample in samples[::step])
    print(f"every minute from then on: {course} MB")
    sys.exit(bool(judge.wrong or judge.failed) or after > allowed(before, seconds))


if __name__ == "__main__":
    main()
