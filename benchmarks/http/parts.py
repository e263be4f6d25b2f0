"""Measures where the processor time of a request goes, by part of the server.

    python -m benchmarks.http.parts FILE [--request-texts 1] [--beside CHECKOUT] [--seconds 5]

Sends the texts of FILE, such as sst2/validation.parquet, with wrk from one half of the cores to a server on the other,
and samples its threads with py-spy (`pip install py-spy`; it must be allowed to trace). A sample counts for the
innermost file that belongs to a part, so that a part holds what it calls of Python and of the system. Processor time of
a request: from /proc, while py-spy does not look. With --beside the code of another checkout is measured first.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from benchmarks.http.serving import SHAPES
from benchmarks.lib.cores import halves, on_cores
from benchmarks.lib.load_generator import chunks
from benchmarks.lib.server import Running, running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts
from benchmarks.lib.wrk import body, run_wrk
from training.provenance import describe_machine

PARTS = {
    "network": ("model/engine", "model/classifier", "model/temperature", "model/probabilities", "model/tokens"),
    "tokeniser": ("model/text", "model/native_text", "model/tokenizer"),
    "connection: parser, ASGI, head and body written": ("app/process", "uvicorn/protocols"),
    "log, id, routes, errors": ("app/http/request_log", "app/http/routing", "app/main", "app/http/authorize"),
    "body read, JSON parsed, client watched": ("app/http",),
    "form: model, options, answer rendered": ("app/api", "app/deployment"),
    "admission, batcher, jobs, timers": ("app/batching", "app/core"),
    "metrics": ("app/telemetry",),
}
"""Beginnings of the paths of each part; the first part that fits counts."""

REST = "event loop, kernel"
WAITING = ("Condition.wait (", "_worker (", "wait (threading")
"""Innermost frames of threads that have nothing to do, which py-spy may take for busy."""

PY_SPY_RATE = 300


def part_of(stack: Sequence[str]) -> str | None:
    """The part that a sample counts for; None if its thread waits.

    >>> part_of(["run (app/process/server.py:9)", "_note (app/http/request_log.py:1)", "info (logging/__init__.py:2)"])
    'log, id, routes, errors'
    >>> part_of(["run (app/process/server.py:9)", "Runner.run (asyncio/runners.py:1)"])
    'event loop, kernel'
    >>> part_of(["take (app/batching/queue.py:1)", "Condition.wait (threading.py:327)"])
    """
    if stack[-1].startswith(WAITING):
        return None
    for frame in reversed(stack):
        path = frame.partition("(")[2]
        if path.startswith("asyncio/runners"):
            return REST
        for name, beginnings in PARTS.items():
            if path.startswith(beginnings):
                return name
    return REST


def shares(lines: Iterable[str]) -> dict[str, float]:
    """The share of each part in the samples that py-spy wrote, a stack and a count a line.

    >>> shares(["thread;submit (app/batching/batcher.py:3) 3", "thread;Condition.wait (threading.py:1) 9"])
    {'admission, batcher, jobs, timers': 1.0}
    """
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        part = part_of(stack.split(";"))
        if part is not None:
            counts[part] += int(count)
    return {part: count / counts.total() for part, count in counts.most_common()}


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def samples(pid: int, seconds: float, path: Path) -> "subprocess.Popen[bytes]":
    """Begins to sample a process.

    Raises:
        ClickException: py-spy is not installed.
    """
    program = shutil.which("py-spy", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if program is None:
        raise click.ClickException("py-spy is not installed (pip install py-spy)")
    call = [program, "record", f"--pid={pid}", f"--duration={seconds:.0f}", f"--rate={PY_SPY_RATE}", "--format=raw"]
    return subprocess.Popen([*call, f"--output={path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(server: Running, bodies: Sequence[str], connections: int, seconds: float) -> None:
    """Prints the processor time of a request, and each part of it."""
    run_wrk(server.port, bodies, connections=connections, seconds=1)
    before = cpu_s(server.pid)
    load = run_wrk(server.port, bodies, connections=connections, seconds=seconds)
    cost_us = (cpu_s(server.pid) - before) / load.requests * 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples"
        with samples(server.pid, seconds, path) as sampling:
            run_wrk(server.port, bodies, connections=connections, seconds=seconds + 1)
            sampling.wait()
        found = shares(path.read_text().splitlines())
    print(f"{load.rate:,.0f} requests/s, {cost_us:.0f} µs of processor time a request")
    for part, share in found.items():
        print(f"  {share * cost_us:6.1f} µs  {part}")


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--request-texts", "size", type=click.Choice([str(size) for size in SHAPES]), default="1")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--beside", type=click.Path(path_type=Path), help="Another checkout, whose engine is built.")
@click.option("--seconds", default=5.0, show_default=True, help="Of each of two measurements.")
def main(file: Path, size: str, checkpoint: Path, beside: Path | None, seconds: float) -> None:
    """Prints a table a server."""
    bodies = [body(part) for part in chunks(read_texts(file, column="text"), int(size))]
    theirs, ours = halves(os.sched_getaffinity(0))
    print(
        f"{describe_machine()}; {len(theirs)} of the cores for the server, {len(ours)} for wrk; {size} texts a request"
    )
    for checkout in (beside, None) if beside else (None,):
        with on_cores(theirs):
            serving = running_server(
                f"--model={checkpoint.name}={checkpoint.resolve()}", "--threads=1", checkout=checkout
            )
            with serving as server, on_cores(ours):
                print(f"{checkout or 'this code'}:")
                measure(server, bodies, SHAPES[int(size)], seconds)


if __name__ == "__main__":
    main()
