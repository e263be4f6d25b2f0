"""Measures a server before its first request: seconds from process start to ready, and memory.

    python -m benchmarks.engine.footprint [--starts 3] [--checkout FOLDER] [--explain] [-- OPTION...]

OPTION is one of `python -m app serve`. With `--checkout` the version of the code in FOLDER is measured in turns with
this one. Memory is that of the server, and of each process below it by itself, after as many texts as touch most of the
vocabulary: resident, and by share (a page of n processes counts as an n-th for each). `--explain` asks for an
explanation, times the first one and measures once more. Byte code is made by a first start, which is not counted.
"""

import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

import click
import httpx
import numpy as np

from benchmarks.lib.memory import parents, rollup, tree
from benchmarks.lib.server import Running, running_server

MEGABYTE = 1e6
KINDS = {"Rss": "resident", "Pss": "by share"}
REQUESTS = 100
TEXTS = 64

Figures = dict[str, list[float]]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--starts", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--checkout", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Another version.")
@click.option("--explain", is_flag=True, help="Also ask for an explanation.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(starts: int, checkout: Path | None, explain: bool, options: tuple[str, ...]) -> None:
    """Starts a server some times over and prints what it took."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    versions = {"here": None} if checkout is None else {"here": None, str(checkout): checkout}
    found: dict[str, Figures] = {name: defaultdict(list) for name in versions}
    for turn in range(starts + 1):
        for name, folder in versions.items():
            figures = measure(options, folder, explain=explain and turn == starts)
            if turn:
                for figure, value in figures.items():
                    found[name][figure].append(value)
    for name, figures_of in found.items():
        for figure, values in figures_of.items():
            median, spread = statistics.median(values), f"({min(values):.2f} to {max(values):.2f})"
            click.echo(f"{name}: {figure}: {median:.2f} {spread}")


def measure(options: tuple[str, ...], checkout: Path | None, *, explain: bool) -> dict[str, float]:
    """Figures of one start."""
    began = time.perf_counter()
    with running_server(*options, checkout=checkout) as server:
        figures = {"start to ready, s": time.perf_counter() - began}
        figures |= memory(server, "after the start")
        ask(server)
        figures |= memory(server, "after texts")
        if explain:
            began = time.perf_counter()
            body = {"inputs": "A wonderful, moving film."}
            httpx.post(f"{server.url}/explain", json=body, timeout=60).raise_for_status()
            figures["first explanation, s"] = time.perf_counter() - began
            figures |= memory(server, "after an explanation")
    return figures


def ask(server: Running) -> None:
    """Sends texts of characters and letters at random, which together have most tokens of a vocabulary."""
    rng = np.random.default_rng(0)
    with httpx.Client(timeout=60) as client:
        for _ in range(REQUESTS):
            chinese = rng.integers(0x4E00, 0x9FA5, (TEXTS // 2, 40))
            latin = rng.choice([*b"      eeeetttaaaooiinnssrrhhlldducmfywgpbvkxqjz"], (TEXTS // 2, 160))
            inputs = ["".join(map(chr, row)) for row in (*chinese, *latin)]
            client.post(f"{server.url}/predict", json={"inputs": inputs}).raise_for_status()


def memory(server: Running, moment: str) -> dict[str, float]:
    """Megabytes of each process by kind."""
    found = {}
    for number, pid in enumerate(sorted(tree(server.pid, parents()))):
        kinds = rollup(pid)
        for kind, words in KINDS.items():
            found[f"process {number}, {moment}, {words}, MB"] = kinds[kind] / MEGABYTE
    return found


if __name__ == "__main__":
    main()
