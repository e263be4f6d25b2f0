"""Does the server's memory stay flat under texts of every length?

    python -m benchmarks.soak [--seconds 60] [--serve-option=--workers=2]

Sends English, Chinese and emoji of 1 to 5,000 characters, up to 64 texts a request, over a few connections, and reads
the resident memory of the server's processes all the while. After a warm-up of a quarter of the time, the middle memory
of the last third may exceed that of the first by 5% and 10 MB. Exits with 1 if it grows by more or if an answer is not
200. Ten minutes (`--seconds 600`) show what one does not.
"""

import asyncio
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import uvloop

from benchmarks._http import OK, Tally, closed_loop, render
from benchmarks._packed import SHIPPED
from benchmarks._server import running_server
from benchmarks._texts import of_any_kind

PROC = Path("/proc")
MEGABYTE = 2**20
MAX_CHARS = 5000
NUM_REQUESTS = 600
CONNECTIONS = 4
WARM_UP = 0.25
"""Of the time: allocators and caches fill."""

GROWTH_SHARE, GROWTH_BYTES = 0.05, 10 * MEGABYTE
"""That may be noise: a process that leaks a kilobyte a request shows 20 MB after a minute at 300 requests a second."""

INTERVAL_S = 0.5


def parents(proc: Path = PROC) -> dict[int, int]:
    """The parent of each process."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                # The name before the last parenthesis may hold anything.
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def tree(root: int, parent_of: dict[int, int]) -> set[int]:
    """A process and all below it.

    >>> sorted(tree(1, {1: 0, 2: 1, 3: 2, 4: 9}))
    [1, 2, 3]
    """
    children = defaultdict(list)
    for pid, parent in parent_of.items():
        children[parent].append(pid)
    found, rest = set(), [root]
    while rest:
        pid = rest.pop()
        found.add(pid)
        rest += children[pid]
    return found


def resident(root: int, proc: Path = PROC) -> int:
    """Bytes that a process and those below it hold in memory; pages that they share are counted for each."""
    total = 0
    for pid in tree(root, parents(proc)):
        with suppress(OSError):
            lines = (proc / str(pid) / "status").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
    return total


def thirds(samples: Sequence[int]) -> tuple[float, float]:
    """The middle of the first and of the last third of the samples.

    >>> thirds([1, 2, 3, 9, 9, 9, 4, 5, 6])
    (2, 5)
    """
    length = max(1, len(samples) // 3)
    return statistics.median(samples[:length]), statistics.median(samples[-length:])


def allowed(before: float) -> float:
    """How much memory may be held in the end.

    >>> allowed(100 * MEGABYTE) / MEGABYTE
    115.0
    """
    return before * (1 + GROWTH_SHARE) + GROWTH_BYTES


def make_requests(rng: random.Random) -> list[bytes]:
    """Of 1 to 64 texts each, most of few."""
    sizes = (1, 1, 1, 4, 16, 64)
    return [render([of_any_kind(rng, MAX_CHARS) for _ in range(rng.choice(sizes))]) for _ in range(NUM_REQUESTS)]


async def soak(port: int, pid: int, requests: Sequence[bytes], seconds: float) -> tuple[Tally, list[int]]:
    """What came back, and the memory after the warm-up."""
    samples: list[int] = []
    began = time.monotonic()

    async def watch() -> None:
        while True:
            if time.monotonic() - began >= WARM_UP * seconds:
                samples.append(resident(pid))
            await asyncio.sleep(INTERVAL_S)

    watching = asyncio.create_task(watch())
    tally = await closed_loop(port, requests, connections=CONNECTIONS, seconds=seconds)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return tally, samples


@click.command(help=__doc__)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--seed", default=0, show_default=True)
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
def main(seconds: float, checkpoint: Path, seed: int, options: tuple[str, ...]) -> None:
    """Prints the memory of the first and the last third."""
    requests = make_requests(random.Random(seed))
    with running_server(f"--model={checkpoint.name}={checkpoint}", *options) as server:
        tally, samples = uvloop.run(soak(server.port, server.pid, requests, seconds))
    before, after = thirds(samples)
    good = tally.share(OK)
    print(
        f"{tally.statuses.total():,} requests in {seconds:.0f} s, {good:.2%} answered with 200; resident memory "
        f"{before / MEGABYTE:.0f} MB in the first third after the warm-up, {after / MEGABYTE:.0f} in the last, "
        f"most {max(samples) / MEGABYTE:.0f}; at most {allowed(before) / MEGABYTE:.0f} are allowed"
    )
    if good < 1:
        print(f"answers by status: {dict(tally.statuses)}")
    sys.exit(good < 1 or after > allowed(before))


if __name__ == "__main__":
    main()
