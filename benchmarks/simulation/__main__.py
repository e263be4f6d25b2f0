"""Simulates the service from measured service times: queueing, bursts, autoscaling, a lost zone, retries, a day.

    python -m benchmarks.simulation measure [FILE] [--write]       service times, and predictions against this machine
    python -m benchmarks.simulation scenarios [NAME...] [--write]  what becomes of a fleet
    python -m benchmarks.simulation write                          docs/scaling.md, from figures that were kept
    python -m benchmarks.simulation.arithmetic                     machines and costs

`measure` wants a machine with nothing else running and takes five minutes: a worker has the first core and the load
generator the second; of two workers the second shares a core with the generator, whose share is measured. On one core
(`taskset -c 0`) one worker shares it. FILE is such as sst2/test.parquet; without it, texts are made up. `scenarios`
needs no quiet machine. With --write both keep their figures in benchmarks/results and renew docs/scaling.md.
"""

import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import click
import uvloop
from pydantic import ValidationError

from benchmarks.lib.cores import on_cores
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts, sentences
from benchmarks.simulation.calibrate import calibrate
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.page import renew
from benchmarks.simulation.report import (
    POINTS,
    ROWS,
    SCENARIO_ROWS,
    VALIDATION,
    Row,
    costs_sentence,
    row_of,
    scenario_table,
    validation_table,
)
from benchmarks.simulation.scenarios import EVENT_S, SCENARIOS, capacity_of, simulate
from benchmarks.simulation.service_times import CALIBRATION, Calibration, ServiceTimes
from benchmarks.simulation.validate import SERVERS, Point, placed_server, validate
from model.checkpoint import load_checkpoint
from tables.errors import TableError
from training.provenance import describe_machine


@click.group(help=__doc__)
def main() -> None:
    """Chooses one of the steps."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED)
@click.option("--seconds", default=2.0, show_default=True, help="Of each closed loop of the calibration.")
@click.option("--load-seconds", default=10.0, show_default=True, help="Of each load of the validation.")
@click.option("--write", is_flag=True, help="Keep the figures and renew docs/scaling.md.")
def measure(file: Path | None, checkpoint: Path, seconds: float, load_seconds: float, write: bool) -> None:
    """Measures service times, then compares predictions with this machine."""
    try:
        texts = read_texts(file) if file else sentences(2048, random.Random(0))
    except (TableError, OSError) as error:
        raise click.ClickException(str(error)) from None
    machine = describe_machine()
    cores = sorted(os.sched_getaffinity(0))[:2]
    model = f"{checkpoint.name}={checkpoint.resolve()}"
    with on_cores({cores[-1]}):
        with placed_server(model, 1, cores[:1]) as server:
            calibration = uvloop.run(calibrate(server, texts, load_checkpoint(checkpoint), machine, seconds))
        click.echo(costs_sentence(calibration))
        times, points = ServiceTimes(calibration), list[Point]()
        for num_workers, size in SERVERS:
            if num_workers > len(cores):
                click.echo(f"{num_workers} workers need as many cores: left out")
                continue
            shared = num_workers >= len(cores)
            with placed_server(model, num_workers, cores) as server:
                found = uvloop.run(validate(server, texts, times, num_workers, size, shared, load_seconds))
            points += found
            click.echo(validation_table(found))
    if write:
        CALIBRATION.write_text(calibration.model_dump_json(indent=None) + "\n", "utf-8")
        VALIDATION.write_bytes(POINTS.dump_json(points, indent=1) + b"\n")
        click.echo(", ".join(renew()) or "nothing to renew")


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SCENARIOS)))
@click.option("--seeds", default=5, show_default=True, help="Runs of each variant.")
@click.option("--calibration", type=click.Path(path_type=Path), default=CALIBRATION)
@click.option("--write", is_flag=True, help="Keep the figures and renew docs/scaling.md.")
def scenarios(names: tuple[str, ...], seeds: int, calibration: Path, write: bool) -> None:
    """Simulates the scenarios named, or all."""
    if write and names:
        raise click.UsageError("--write keeps the figures of all scenarios: name none")
    try:
        times = ServiceTimes.read(calibration)
    except (OSError, ValidationError) as error:
        raise click.ClickException(f"{calibration}: {error}") from None
    capacity = capacity_of(times)
    click.echo(f"three replicas answer {capacity:,.0f} requests a second at most")
    rows = list[Row]()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name in names or SCENARIOS:
            began = time.monotonic()
            jobs = list(product(range(len(SCENARIOS[name])), range(seeds)))
            outcomes = list(
                pool.map(_run, *zip(*((times.calibration, capacity, name, *job) for job in jobs), strict=True))
            )
            found = [
                row_of(name, variant.name, outcomes[place * seeds : (place + 1) * seeds], EVENT_S, variant.scale)
                for place, variant in enumerate(SCENARIOS[name])
            ]
            rows += found
            click.echo(f"\n{name} ({time.monotonic() - began:.0f} s)\n{scenario_table(found)}")
    if write:
        SCENARIO_ROWS.write_bytes(ROWS.dump_json(rows, indent=1) + b"\n")
        click.echo(", ".join(renew()) or "nothing to renew")


@main.command()
def write() -> None:
    """Renews the tables of docs/scaling.md from the figures in benchmarks/results."""
    click.echo(", ".join(renew()) or "nothing to renew")


def _run(calibration: Calibration, capacity: float, name: str, place: int, seed: int) -> Outcome:
    """One run, in a process of the pool."""
    return simulate(SCENARIOS[name][place], ServiceTimes(calibration), capacity, seed)


if __name__ == "__main__":
    main()
