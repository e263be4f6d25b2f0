"""Compares files scored by Ray Data with `app predict` on the same cores, and states Ray's own share of them.

    python -m benchmarks.ray.bulk sst2/test.parquet [--rows 4000000] [--files 8] [--workers 2] [--rounds 2]

Writes the texts of FILE again and again into Parquet files, and labels those by `app.bulk` in one process with a thread
for each worker, and by `app.ray.bulk` with as many workers on a cluster that runs already. They take turns; both times
begin before the checkpoint is loaded. Fails if the median of the ratios is below 0.7.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from app.bulk.run import Call, predict
from benchmarks.lib.ratios import Spread
from benchmarks.lib.ray_cluster import ray_cluster
from benchmarks.lib.rows import write_rows
from benchmarks.lib.shipped import SHIPPED
from model.classifier import Classifier
from training.provenance import describe_machine

FLOOR = 0.7
WORKER = "FileScorer"


def processor_seconds() -> dict[str, float]:
    """Processor time so far of the processes of Ray: of its workers that score, and of all others."""
    spent = {"scoring": 0.0, "other": 0.0}
    for process in Path("/proc").iterdir():
        try:
            name = (process / "cmdline").read_text("utf-8").replace("\0", " ")
            fields = (process / "stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if "ray::" in name or "/ray/" in name:
            spent["scoring" if WORKER in name else "other"] += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return spent


def write_files(folder: Path, source: Path, rows: int, files: int) -> list[Path]:
    """Parquet files that hold so many rows together, of the texts of a table."""
    paths = [folder / f"{number:03}.parquet" for number in range(files)]
    for number, path in enumerate(paths):
        write_rows(source, "text", rows // files, path, seed=number)
    return paths


def by_ray(paths: Sequence[Path], output: Path, workers: int) -> tuple[float, float]:
    """Seconds, and Ray's own share of the processor time.

    Raises:
        ClickException: a file could not be scored.
    """
    from app.ray.bulk import Job

    driver, began = time.process_time(), time.perf_counter()
    before = after = processor_seconds()
    for file, error in Job(SHIPPED, Call(paths, f"{output}/"), "auto").run(workers):
        if error:
            raise click.ClickException(f"{file}: {error}")
        after = processor_seconds()  # the workers leave with the last file
    seconds = time.perf_counter() - began
    spent = {kind: after[kind] - before[kind] for kind in after}
    spent["other"] += time.process_time() - driver
    return seconds, spent["other"] / sum(spent.values())


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rows", default=4_000_000, show_default=True)
@click.option("--files", default=8, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(file: Path, rows: int, files: int, workers: int, rounds: int) -> None:
    """Prints both rates, their ratio and Ray's share."""
    alone, under_ray, shares = [], [], []
    with tempfile.TemporaryDirectory() as scratch, ray_cluster(1, workers):
        folder = Path(scratch)
        paths = write_files(folder, file, rows, files)
        for number in range(rounds):
            began = time.perf_counter()
            classifier = Classifier.load(SHIPPED, device="auto", dtype="auto", threads=1)
            predict(classifier, Call(paths, f"{folder}/alone-{number}/", format="parquet"), threads=workers)
            alone.append(rows / (time.perf_counter() - began))
            seconds, share = by_ray(paths, folder / f"ray-{number}", workers)
            under_ray.append(rows / seconds)
            shares.append(share)
    ratio = Spread.of(under_ray, alone)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{describe_machine()}; {rows:,} rows in {files} files")
    console.print(f"app predict, {workers} threads: {', '.join(f'{seen:,.0f}' for seen in alone)} rows/s")
    console.print(f"Ray Data, {workers} workers: {', '.join(f'{seen:,.0f}' for seen in under_ray)} rows/s")
    console.print(f"ratio {ratio}, floor {FLOOR}; Ray's own share {', '.join(f'{share:.1%}' for share in shares)}")
    sys.exit(ratio.median < FLOOR)


if __name__ == "__main__":
    main()
