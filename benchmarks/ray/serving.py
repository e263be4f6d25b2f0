"""Compares Ray Serve with the plain server on the same cores.

    python -m benchmarks.ray.serving sst2/test.parquet [--rounds 3] [--seconds 5] [--replicas 2]

Sends requests of 64 texts over 8 connections with wrk to `python -m app serve --workers N` and to N replicas on a Ray
cluster, each with one thread. They take turns and are started anew, and both share the cores with wrk; a ratio is taken
round by round. Fails if the median is below 0.8.
"""

import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks.lib.load_generator import chunks
from benchmarks.lib.ratios import Spread
from benchmarks.lib.ray_cluster import ray_cluster, ray_server
from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.lib.texts import read_texts
from benchmarks.lib.wrk import body, run_wrk
from training.provenance import describe_machine

TEXTS, CONNECTIONS, FLOOR = 64, 8, 0.8


def rate(port: int, bodies: list[str], seconds: float) -> float:
    """Texts a second that a server answers.

    Raises:
        ClickException: it refused or lost some.
    """
    run_wrk(port, bodies, connections=CONNECTIONS, seconds=2)
    load = run_wrk(port, bodies, connections=CONNECTIONS, seconds=seconds)
    if load.refused or load.lost:
        raise click.ClickException(f"{load.refused} requests refused and {load.lost} lost")
    return load.rate * TEXTS


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement.")
@click.option("--replicas", default=2, show_default=True, help="And workers of the plain server.")
def main(file: Path, rounds: int, seconds: float, replicas: int) -> None:
    """Prints both rates and their ratio."""
    bodies = [body(part) for part in chunks(read_texts(file), TEXTS)]
    plain, under_ray = [], []
    for _ in range(rounds):
        with running_server(f"--workers={replicas}", "--threads=1", "--no-explain") as server:
            plain.append(rate(server.port, bodies, seconds))
        with ray_cluster(1, replicas) as cluster:
            bounds = {"min_replicas": replicas, "max_replicas": replicas}
            with ray_server(cluster, SHIPPED, **bounds) as served:
                under_ray.append(rate(served.port, bodies, seconds))
    ratio = Spread.of(under_ray, plain)
    console = Console(highlight=False, soft_wrap=True)
    console.print(describe_machine())
    console.print(f"plain server, {replicas} workers: {', '.join(f'{seen:,.0f}' for seen in plain)} texts/s")
    console.print(f"Ray Serve, {replicas} replicas: {', '.join(f'{seen:,.0f}' for seen in under_ray)} texts/s")
    console.print(f"ratio {ratio}, floor {FLOOR}")
    sys.exit(ratio.median < FLOOR)


if __name__ == "__main__":
    main()
