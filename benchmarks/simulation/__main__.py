"""Simulates the service from measured service times: queueing, bursts, autoscaling, a lost zone, retries, a day.

    python -m benchmarks.simulation measure [FILE] [--write]       service times, and loads of a real server
    python -m benchmarks.simulation predict [--write]              the same loads, predicted
    python -m benchmarks.simulation scenarios [NAME...] [--write]  what becomes of a fleet
    python -m benchmarks.simulation write                          docs/scaling.md, from figures that were kept
    python -m benchmarks.simulation.arithmetic                     machines and costs

`measure` wants a machine with nothing else running and takes ten minutes: a worker has the first core and the load
generator the second; of two workers the second shares a core with the generator. On one core (`taskset -c 0`) one
worker shares it. FILE is such as sst2/test.parquet; without it, texts are made up. It keeps what it measures in
benchmarks/results and predicts at the end. `predict` does that again from what was kept; it and `scenarios` need no
quiet machine. With --write they renew docs/scaling.md.
"""

import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import click
import uvloop
from pydantic import ValidationError

from benchmarks.lib.cores import on_cores
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts, sentences
from benchmarks.simulation.calibrate import calibrate
from benchmarks.simulation.machine import measure_machine
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.page import renew
from benchmarks.simulation.predict import Point
from benchmarks.simulation.predict import predict as predict_point
from benchmarks.simulation.report import (
    POINTS,
    ROWS,
    SCENARIO_ROWS,
    VALIDATION,
    Row,
    costs_sentence,
    read_points,
    row_of,
    scenario_table,
    validation_table,
)
from benchmarks.simulation.scenarios import EVENT_S, SCENARIOS, capacity_of, simulate
from benchmarks.simulation.service_times import CALIBRATION, Calibration, ServiceTimes
from benchmarks.simulation.validate import SERVERS, measure_points, placed_server
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
@click.option("--pause-seconds", default=20.0, show_default=True, help="In which pauses of each core are counted.")
@click.option("--load-seconds", default=20.0, show_default=True, help="Of each load of the validation.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Keep the figures here.")
@click.option("--write", is_flag=True, help="Keep the figures in benchmarks/results and renew docs/scaling.md.")
def measure(
    file: Path | None,
    checkpoint: Path,
    seconds: float,
    pause_seconds: float,
    load_seconds: float,
    folder: Path | None,
    write: bool,
) -> None:
    """Measures service times and the loads of a real server, then predicts the loads."""
    try:
        texts = read_texts(file) if file else sentences(2048, random.Random(0))
    except (TableError, OSError) as error:
        raise click.ClickException(str(error)) from None
    description, load_average = describe_machine(), os.getloadavg()[0]
    cores = sorted(os.sched_getaffinity(0))[:2]
    model = f"{checkpoint.name}={checkpoint.resolve()}"
    core = measure_machine(cores, pause_seconds)
    with on_cores({cores[-1]}):
        with placed_server(model, 1, cores[:1]) as server:
            job = calibrate(server, texts, load_checkpoint(checkpoint), description, load_average, core, seconds)
            calibration = uvloop.run(job)
        click.echo(costs_sentence(calibration))
        points = list[Point]()
        for num_workers, size in SERVERS:
            if num_workers > len(cores):
                click.echo(f"{num_workers} workers need as many cores: left out")
                continue
            shared = num_workers >= len(cores)
            with placed_server(model, num_workers, cores) as server:
                points += uvloop.run(measure_points(server, texts, num_workers, size, shared, load_seconds))
    keep(calibration, points, folder, write)


@main.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=CALIBRATION.parent)
@click.option("--write", is_flag=True, help="Keep the predictions and renew docs/scaling.md.")
def predict(folder: Path, write: bool) -> None:
    """Predicts the loads that were measured, from the service times in the same folder."""
    try:
        calibration = ServiceTimes.read(folder / CALIBRATION.name).calibration
        points = read_points(folder / VALIDATION.name)
    except (OSError, ValidationError) as error:
        raise click.ClickException(f"{folder}: {error}") from None
    keep(calibration, points, None, write)


def keep(calibration: Calibration, points: list[Point], folder: Path | None, write: bool) -> None:
    """Predicts the points, prints their table, and keeps all in a folder or in benchmarks/results."""
    folders = [found for found in (folder, CALIBRATION.parent if write else None) if found is not None]
    for found in folders:  # before the prediction: what was measured is not lost by it
        (found / CALIBRATION.name).write_text(calibration.model_dump_json(indent=None) + "\n", "utf-8")
        (found / VALIDATION.name).write_bytes(POINTS.dump_json(points, indent=1) + b"\n")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        points = list(pool.map(partial(predict_point, times=ServiceTimes(calibration)), points))
    click.echo(validation_table(points))
    for found in folders:
        (found / VALIDATION.name).write_bytes(POINTS.dump_json(points, indent=1) + b"\n")
    if write:
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
