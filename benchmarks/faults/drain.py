"""Counts answers lost when a server under full load is told to leave.

    python -m benchmarks.faults.drain [--rounds 10] [--serve-option=--workers=2]

Each round starts a server and keeps 32 connections busy, a text a request, then sends SIGTERM.

heeds   The callers stand behind a balancer that asks `/health/ready` ten times a second and sends nothing after the
        first answer other than 200. Fails unless every request was answered with 200.
deaf    The callers go on until their connections are refused. Fails if an answer is other than 200. A request without
        one is counted: the system had taken its connection for the server, which no longer came to accept it.

Fails, too, if the server does not leave with code 0.
"""

import asyncio
import itertools
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import uvloop

from benchmarks.lib.load_generator import LOST, OK, Connection, connect, render
from benchmarks.lib.server import Running, running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import sentences

CONNECTIONS = 32
LOAD_S = 1.0
DRAIN_DELAY_S = 1.0
ASK_EVERY_S = 0.1
GIVE_UP_S = 60.0
REFUSED = -1
"""Status of a request that found nobody to take its connection."""


@dataclass(slots=True)
class Callers:
    """Senders and the answers that they got.

    Attributes:
        sending: whether they go on.
        statuses: of the answers.
        left_s: from the signal to the end of the process.
    """

    port: int
    sending: bool = True
    statuses: Counter[int] = field(default_factory=Counter)
    left_s: float = 0.0

    async def send(self, number: int) -> None:
        """One connection after the other, a request at a time."""
        requests = itertools.cycle([render([text]) for text in sentences(50, random.Random(number))])
        connection: Connection | None = None
        while self.sending:
            if connection is None or not connection.open:
                try:
                    connection = await connect(self.port)
                except OSError:
                    self.statuses[REFUSED] += 1
                    return
            status, _ = await connection.ask(next(requests))
            self.statuses[status] += 1
        if connection is not None:
            connection.close()

    async def heed(self) -> None:
        """A balancer that follows readiness."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
            while (await client.get("/health/ready")).status_code == OK:  # noqa: ASYNC110  # another process changes it
                await asyncio.sleep(ASK_EVERY_S)
        self.sending = False


async def drain(server: Running, *, heeds: bool) -> Callers:
    """One round: load, the signal, and what became of the requests."""
    callers = Callers(server.port)
    tasks = [asyncio.create_task(callers.send(number)) for number in range(CONNECTIONS)]
    if heeds:
        tasks.append(asyncio.create_task(callers.heed()))
    await asyncio.sleep(LOAD_S)
    began = time.monotonic()
    os.kill(server.pid, signal.SIGTERM)
    async with asyncio.timeout(GIVE_UP_S):
        await asyncio.gather(*tasks)
        # Without taking its exit code from whoever started it.
        await asyncio.to_thread(os.waitid, os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    callers.left_s = time.monotonic() - began
    return callers


@click.command(help=__doc__)
@click.option("--rounds", default=10, show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(rounds: int, checkpoint: Path, options: tuple[str, ...]) -> None:
    """Prints what became of the requests."""
    fails = False
    model = f"--model={checkpoint.name}={checkpoint}"
    for name, heeds in (("heeds", True), ("deaf", False)):
        statuses: Counter[int] = Counter()
        slowest_s = 0.0
        for _ in range(rounds):
            with running_server(model, f"--drain-delay-s={DRAIN_DELAY_S}", *options) as server:
                callers = uvloop.run(drain(server, heeds=heeds))
            statuses += callers.statuses
            slowest_s = max(slowest_s, callers.left_s)
        refused = statuses.pop(REFUSED, 0)
        otherwise = statuses.total() - statuses[OK] - statuses[LOST]
        print(
            f"{name}: {rounds} times SIGTERM; {statuses[OK]:,} requests answered, {statuses[LOST]} lost, {otherwise} "
            f"answered otherwise, {refused} refused; the server left within {slowest_s:.1f} s"
        )
        fails |= bool(otherwise or (heeds and (statuses[LOST] or refused)))
    sys.exit(fails)


if __name__ == "__main__":
    main()
