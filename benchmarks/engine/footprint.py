"""Measures a server before its first request: seconds from process start to ready, resident memory.

    python -m benchmarks.engine.footprint [--starts 3] [-- OPTION...]     # options of `python -m app serve`

Memory is that of the process and its workers after some answers.
"""

import statistics
import time

import click
import httpx
from rich.console import Console

from benchmarks.lib.server import running_server

TEXTS = ("A wonderful, moving film.", "这家酒店很差", "never ever again " * 400)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--starts", type=click.IntRange(min=1), default=3, show_default=True)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(starts: int, options: tuple[str, ...]) -> None:
    """Starts a server some times over and prints what it took."""
    seconds, megabytes = [], []
    for _ in range(starts):
        began = time.perf_counter()
        with running_server(*options) as server:
            seconds.append(time.perf_counter() - began)
            for text in TEXTS * 20:
                httpx.post(f"{server.url}/predict", json={"inputs": [text] * 32}, timeout=60).raise_for_status()
            megabytes.append(_resident_bytes(server.url) / 1e6)
    Console().print(
        f"start to ready: median {statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f}); "
        f"resident: median {statistics.median(megabytes):.0f} MB ({min(megabytes):.0f} to {max(megabytes):.0f}); "
        f"{starts} starts",
        highlight=False,
    )


def _resident_bytes(url: str) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes "))


if __name__ == "__main__":
    main()
