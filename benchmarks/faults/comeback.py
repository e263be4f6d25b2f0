"""Measures whether clients that obey `Retry-After` are served when they come back.

    python -m benchmarks.faults.comeback [--times 3] [--seconds 15]

Finds what a server answers in a second, then offers a multiple of it for a while, at even intervals and whether answers
come or not, each request by somebody new. Who is refused comes back once, after as many seconds as the answer said.
While the overload lasts, no more can be served than there is room for: the shares of new requests and of those who come
back are shown. Of those who come back after its end, when its queue is done, all must be served, else it exits with 1.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import english

TEXTS, WORDS = 64, 120
"""Of one request: so much work that a client in Python can overload the server."""

QUEUE = 16
"""Requests for which there is room."""


@dataclass
class Outcome:
    """Outcomes of the requests of one kind, by status."""

    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Latencies of served requests, in seconds."""
        return self.statuses[200] / max(1, self.statuses.total())


@dataclass
class Overload:
    """Offers requests and sends those that are refused again."""

    client: httpx.AsyncClient
    body: bytes
    settled: float = 0.0
    first: Outcome = field(default_factory=Outcome)
    back: Outcome = field(default_factory=Outcome)
    back_after: Outcome = field(default_factory=Outcome)
    told_s: Counter[int] = field(default_factory=Counter)

    async def ask(self, outcome: Outcome) -> httpx.Response:
        """Sends one request and obeys Retry-After."""
        response = await self.client.post("/predict", content=self.body)
        outcome.statuses[response.status_code] += 1
        return response

    async def visit(self) -> None:
        """One request by somebody new, and by the same once more if told to come back."""
        response = await self.ask(self.first)
        if response.status_code == 503:
            seconds = int(response.headers["retry-after"])
            self.told_s[seconds] += 1
            await asyncio.sleep(seconds)
            await self.ask(self.back if time.monotonic() < self.settled else self.back_after)

    async def run(self, capacity: float, times: float, seconds: float) -> None:
        """All of it, until the last one has been answered."""
        ends = time.monotonic() + seconds
        self.settled = ends + 2 * QUEUE / capacity
        async with asyncio.TaskGroup() as visits:
            due = time.monotonic()
            while due < ends:
                visits.create_task(self.visit())
                due += 1 / (capacity * times)
                await asyncio.sleep(max(0.0, due - time.monotonic()))


async def saturation(client: httpx.AsyncClient, body: bytes, seconds: float = 5.0) -> float:
    """Requests a second that are answered when four are always under way."""
    ends, count = time.monotonic() + seconds, 0

    async def loop() -> None:
        nonlocal count
        while time.monotonic() < ends:
            (await client.post("/predict", content=body)).raise_for_status()
            count += 1

    await asyncio.gather(*(loop() for _ in range(4)))
    return count / seconds


async def measure(url: str, times: float, seconds: float, body: bytes) -> tuple[float, Overload]:
    """Saturation, and what came of the overload."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        capacity = await saturation(client, body)
        overload = Overload(client, body)
        await overload.run(capacity, times, seconds)
        return capacity, overload


@click.command()
@click.option("--times", default=3.0, show_default=True, help="What is offered, in times what can be served.")
@click.option("--seconds", default=15.0, show_default=True, help="How long.")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED, show_default=True)
def main(times: float, seconds: float, checkpoint: Path) -> None:
    """Measures whether Retry-After is honest."""
    rng = random.Random(0)
    body = json.dumps({"inputs": [english(rng, WORDS) for _ in range(TEXTS)]}).encode()
    options = (
        f"--model=model={checkpoint}",
        f"--max-queue-texts={QUEUE * TEXTS}",
        "--threads=1",
        f"--max-texts={TEXTS}",
    )
    with running_server(*options) as server:
        capacity, overload = asyncio.run(measure(server.url, times, seconds, body))
    console = Console()
    table = Table("requests", "number", "served", "refused", "other", "share served")
    for name, outcome in (
        ("new", overload.first),
        ("came back meanwhile", overload.back),
        ("came back after it", overload.back_after),
    ):
        served, refused, total = outcome.statuses[200], outcome.statuses[503], outcome.statuses.total()
        table.add_row(
            name, str(total), str(served), str(refused), str(total - served - refused), f"{outcome.share:.0%}"
        )
    console.print(
        f"{capacity:.1f} requests a second of {TEXTS} texts; offered {times:g} times as many for {seconds:g} s"
    )
    console.print(table)
    console.print(f"told to come back after (seconds: times): {dict(sorted(overload.told_s.items()))}")
    if not overload.back_after.statuses or overload.back_after.share < 1:
        console.print("Somebody who came back when the overload had ended was not served.")
        sys.exit(1)


if __name__ == "__main__":
    main()
