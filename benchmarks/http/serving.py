"""Compares the server's speed with other ways to serve the same weights and with its upper bounds.

    python -m benchmarks.http.serving FILE [--python-litserve PYTHON] [--python-bentoml PYTHON] [--python-ray PYTHON]
      [--serve-option=--threads=2]

Sends the texts of FILE, such as sst2/test.parquet, with wrk: one text a request over 32 connections, and 64 over 8. The
servers take turns, each started anew, so that a machine whose speed drifts slows all; ratios are taken round by round.

bare        an ASGI function that answers a constant under the same uvicorn: what no Python server can pass.
sluice      `python -m app serve`.
fastapi     FastAPI as its tutorial has it, computing by `torch.nn.LSTM` over packed sequences in float32.
litserve    the same computation in LitServe, requests that wait put into one batch.
bentoml     the same in BentoML with adaptive batching.
ray         the same in Ray Serve: a proxy and a replica that puts requests that wait into one batch.
engine      `Classifier.predict` of all texts at once, in one process, without HTTP.

PyTorch computes with one thread in the others, which is their best where cores are shared: with two it waits for the
slower one at every step. Give them --their-threads on a machine of your own.

LitServe and BentoML are not among our requirements: name a Python that has one of them, torch, tokenizers and
safetensors; for Ray that of `make setup` will do. Those without one are left out.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import torch
from rich.console import Console

from app.config.machine import available_cpus
from benchmarks.lib.load_generator import chunks
from benchmarks.lib.ratios import Spread
from benchmarks.lib.server import Command, Running, running, sluice
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts
from benchmarks.lib.wrk import WrkMissing, body, find_wrk, run_wrk
from model.classifier import Classifier, set_num_threads
from tables.errors import TableError
from training.provenance import describe_machine

SHAPES = {1: 32, 64: 8}
"""Connections by texts a request."""

LEAST_AGREEMENT = 0.95
"""Of labels with Sluice's float32 network; one that agrees less often does not compute the same."""

BARE = "bare"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server and how it is started."""

    name: str
    command: Command
    ready_path: str = "/"
    environ: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def serving(self) -> Iterator[Running]:
        """A ready server process for one contender."""
        with running(self.command, ready_path=self.ready_path, environ=self.environ) as found:
            yield found


def by_module(python: str, name: str, *arguments: str) -> Command:
    """A file of `benchmarks/servers`."""
    return lambda port: [python, "-m", f"benchmarks.http.servers.{name}", str(port), *arguments]


def by_bentoml(python: str) -> Command:
    """BentoML has a command of its own."""
    service = "benchmarks.http.servers.bento:PackedService"
    return lambda port: [python, "-m", "bentoml", "serve", service, "--host=127.0.0.1", f"--port={port}"]


def missing(python: str | None, module: str) -> str | None:
    """Why a server cannot be run: nobody named a Python for it, or that has it not; None if it can."""
    if python is None:
        return f"name a Python that has it with --python-{module}"
    try:
        done = subprocess.run(
            [python, "-c", f"import {module}, torch; print(torch.__version__)"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"{python}: {os.strerror(error.errno or 0)}"
    if done.returncode:
        return f"{python}: {done.stderr.strip().splitlines()[-1]}"
    theirs, ours = (version.partition("+")[0] for version in (done.stdout.strip(), torch.__version__))
    return None if theirs == ours else f"{python} has torch {theirs}, not {ours}"


def contenders(
    checkpoint: Path,
    threads: int,
    their_threads: int,
    options: Sequence[str],
    pythons: Mapping[str, str | None],
    scratch: str,
) -> tuple[list[Contender], dict[str, str]]:
    """The servers that can be run, and the others with the reason."""
    weights = (str(their_threads), str(checkpoint))
    environ = {
        "BENCHMARK_THREADS": str(their_threads),
        "BENCHMARK_CHECKPOINT": str(checkpoint.resolve()),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": scratch,
    }
    model = f"--model={checkpoint.name}={checkpoint}"
    found = [
        Contender(BARE, by_module(sys.executable, "bare")),
        Contender("sluice", sluice(model, f"--threads={threads}", *options), "/health/ready"),
        Contender("fastapi", by_module(sys.executable, "plain", *weights), "/docs"),
    ]
    left_out = {name: reason for name, python in pythons.items() if (reason := missing(python, name))}
    if (python := pythons["litserve"]) and "litserve" not in left_out:
        found.append(Contender("litserve", by_module(python, "lit", *weights), "/health"))
    if (python := pythons["bentoml"]) and "bentoml" not in left_out:
        found.append(Contender("bentoml", by_bentoml(python), "/readyz", environ))
    if (python := pythons["ray"]) and "ray" not in left_out:
        quiet = {"RAY_USAGE_STATS_ENABLED": "0"}
        found.append(Contender("ray", by_module(python, "ray_serve", *weights), "/-/healthz", quiet))
    return found, left_out


def labels_of(answer: object) -> list[str]:
    """The labels that a server gave, which may have put them into a list or below a key.

    >>> labels_of({"predictions": [{"label": "a"}]}) == labels_of([{"label": "a", "score": 1}]) == ["a"]
    True
    """
    predictions = answer["predictions"] if isinstance(answer, dict) else answer
    if not isinstance(predictions, list):
        raise TypeError(f"no predictions: {str(answer)[:200]}")
    return [prediction["label"] for prediction in predictions]


def agreement(found: Running, texts: Sequence[str], expected: Sequence[str]) -> float:
    """The share of labels that are as `expected`."""
    answer = httpx.post(f"{found.url}/predict", json={"inputs": list(texts)}, timeout=60)
    labels = labels_of(answer.raise_for_status().json())
    return sum(a == b for a, b in zip(labels, expected, strict=True)) / len(labels)


@dataclass(slots=True)
class Seen:
    """Texts a second by contender and texts a request, a figure a round; and what went wrong."""

    rates: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))


def measure_round(
    found: Sequence[Contender], texts: Sequence[str], expected: Sequence[str], seconds: float, seen: Seen
) -> None:
    """Each server once, started anew.

    Raises:
        ClickException: a server's labels are not those of the weights.
    """
    bodies = {size: [body(part) for part in chunks(texts, size)] for size in SHAPES}
    for contender in found:
        with contender.serving() as running_server:
            if contender.name != BARE:
                agrees = agreement(running_server, texts[: len(expected)], expected)
                if agrees < LEAST_AGREEMENT:
                    raise click.ClickException(f"{contender.name}: only {agrees:.1%} of the labels are right")
            for size, connections in SHAPES.items():
                run_wrk(running_server.port, bodies[size], connections=connections, seconds=1)
                load = run_wrk(running_server.port, bodies[size], connections=connections, seconds=seconds)
                seen.rates[contender.name, size].append(load.rate * size)
                seen.failures[contender.name, size] += load.refused + load.lost


def engine_rate(classifier: Classifier, texts: Sequence[str], seconds: float) -> float:
    """Texts a second of the whole list at once, without HTTP."""
    classifier.predict(texts)
    num, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        classifier.predict(texts)
        num += len(texts)
    return num / spent


def report(seen: Seen, console: Console) -> None:
    """A line a contender, for each number of texts a request."""
    for size, connections in SHAPES.items():
        console.print(f"{size} texts a request, {connections} connections", highlight=False)
        ours = seen.rates["sluice", size]
        for (name, of_size), rates in seen.rates.items():
            if of_size != size:
                continue
            failed = seen.failures.get((name, size), 0)
            console.print(
                f"  {name:<9}{statistics.median(rates):>10,.0f} texts/s ({min(rates):,.0f} to {max(rates):,.0f}); "
                f"sluice is {Spread.of(ours, rates)} times as fast" + (f"; {failed} FAILED" if failed else ""),
                highlight=False,
            )


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--text-column", default="text", show_default=True, help="Of FILE, unless it is a .txt with a text a line."
)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--threads", type=int, default=available_cpus, show_default="all", help="Of Sluice and of the engine.")
@click.option("--their-threads", default=1, show_default=True, help="Of PyTorch in the others.")
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--seconds", default=5.0, show_default=True, help="Of each measurement; there are two a server and round."
)
@click.option("--python-litserve", metavar="PYTHON", help="A Python that has LitServe.")
@click.option("--python-bentoml", metavar="PYTHON", help="A Python that has BentoML.")
@click.option("--python-ray", metavar="PYTHON", help="A Python that has Ray Serve.")
@click.option("--serve-option", "options", multiple=True, metavar="=--FLAG=VALUE", help="Passed on to Sluice.")
@click.option("--only", multiple=True, metavar="NAME", help="Of the servers, besides bare and sluice.")
@click.pass_context
def main(
    context: click.Context,
    file: Path | None,
    text_column: str,
    checkpoint: Path,
    threads: int,
    their_threads: int,
    rounds: int,
    seconds: float,
    python_litserve: str | None,
    python_bentoml: str | None,
    python_ray: str | None,
    options: tuple[str, ...],
    only: tuple[str, ...],
) -> None:
    """Prints two tables: single texts and requests of 64."""
    if file is None:
        click.echo(context.get_help())
        return
    console = Console(width=200)
    try:
        find_wrk()
        texts = read_texts(file, column=text_column)
    except (WrkMissing, TableError, OSError) as error:
        raise click.ClickException(str(error)) from None
    set_num_threads(threads)
    classifier = Classifier.load(checkpoint, device="cpu", dtype="auto")
    exact = Classifier.load(checkpoint, device="cpu", dtype="float32")
    expected = [exact.labels[best] for best in exact.predict(texts[:256]).argmax(1)]
    machine = f"{describe_machine()}, {threads} threads, PyTorch {torch.__version__}"
    console.print(f"{machine}; {len(texts):,} texts; sluice {' '.join(options)} in {classifier.dtype}", highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        pythons = {"litserve": python_litserve, "bentoml": python_bentoml, "ray": python_ray}
        found, left_out = contenders(checkpoint, threads, their_threads, options, pythons, scratch)
        for name, reason in left_out.items():
            console.print(f"{name}: left out, {reason}", highlight=False)
        found = [contender for contender in found if not only or contender.name in (BARE, "sluice", *only)]
        seen = Seen()
        for _ in range(rounds):
            measure_round(found, texts, expected, seconds, seen)
            rate = engine_rate(classifier, texts, seconds)
            for size in SHAPES:
                seen.rates["engine", size].append(rate)
    report(seen, console)
    console.print(json.dumps({f"{name} {size}": rates for (name, size), rates in seen.rates.items()}), soft_wrap=True)


if __name__ == "__main__":
    main()
