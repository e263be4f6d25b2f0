"""Compares labels that `training choose` asks for with as many of texts drawn at random.

    python -m benchmarks.training.choose subj emotion --data DATA --sizes 100,200,300 --seeds 2 --results choose.jsonl

DATA holds SET/train.parquet and perhaps SET/validation.parquet. A person is played by the labels of the file. All
methods begin with the same rows drawn at random; then, for each further size, a checkpoint is trained by the default
call on what is labelled, and picks the next texts of a pool of at most `--pool` texts. The figure is accuracy on up to
1,000 validation texts (a fifth of the training texts of a set without them), never on a test file.

A finished cell, a set with a method, a size and a seed, stands in the file of results and is not computed again.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.training.own_data import call_of, draw, fit, known
from training.annotation.choose import Uncertainty
from training.annotation.choose_files import choose_from

METHODS = ("random", "entropy", "margin")

Fit = Callable[[pa.Table, pa.Table, Path, int], float]
"""Trains on rows, writes the checkpoint into a folder, and returns the figure on the held-out ones."""

Cell = tuple[str, str, int, int]
"""Set, method, size, seed."""


def fit_default(rows: pa.Table, held: pa.Table, folder: Path, seed: int) -> float:
    """The default training; see `Fit`."""
    return fit(call_of(rows, held, folder, seed=seed))


def next_rows(pool: pa.Table, places: Sequence[int], count: int, method: str, folder: Path, seed: int) -> list[int]:
    """Places of the next `count` texts to label: at random, or as the checkpoint in `folder` chooses."""
    left = [place for place in range(len(pool)) if place not in set(places)]
    if method == "random":
        return left[:count]  # the pool's order is random
    pq.write_table(pool.take(pa.array(left)).select(["text"]), folder / "left.parquet")
    kind: Uncertainty = "margin" if method == "margin" else "entropy"
    chosen = choose_from([folder / "left.parquet"], folder / "model", count, kind=kind, seed=seed, device="cpu")
    return [left[row - 1] for row in chosen.rows]


def curve(
    pool: pa.Table, held: pa.Table, method: str, sizes: Sequence[int], seed: int, fit: Fit = fit_default
) -> list[float]:
    """Figures at each size, the first of which is drawn at random.

    A held-out text whose label is in no labelled row counts as wrong.
    """
    places, figures = list(range(sizes[0])), []
    for size, following in zip(sizes, [*sizes[1:], 0], strict=True):
        with tempfile.TemporaryDirectory() as scratch:
            rows = pool.take(pa.array(places))
            figures.append(fit(rows, held, Path(scratch), seed) * len(known(held, rows)) / len(held))
            if following:
                places += next_rows(pool, places, following - size, method, Path(scratch), seed)
    return figures


def read_results(path: Path) -> dict[Cell, float]:
    """Figures by cell, of those that are finished."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {(row["set"], row["method"], row["size"], row["seed"]): row["figure"] for row in rows}


def table(results: dict[Cell, float], sizes: Sequence[int]) -> str:
    """Mean accuracy of the seeds, a row for each set and method, as Markdown."""
    lines = [f"| set | labels | {' | '.join(map(str, sizes))} |", f"| --- | --- |{' ---: |' * len(sizes)}"]
    for name, method in dict.fromkeys((cell[0], cell[1]) for cell in results):
        means = []
        for size in sizes:
            found = [figure for cell, figure in results.items() if cell[:3] == (name, method, size)]
            means.append(f"{100 * np.mean(found):.1f}" if found else "")
        lines.append(f"| {name} | {method} | {' | '.join(means)} |")
    return "\n".join(lines)


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--method", "methods", multiple=True, type=click.Choice(METHODS), default=METHODS[:2], show_default=True)
@click.option("--sizes", default="100,200,300", show_default=True, help="Labelled rows, with commas between them.")
@click.option("--pool", "pool_rows", default=5000, show_default=True, help="Texts to choose from, at most.")
@click.option("--seeds", default=2, show_default=True, help="Number of seeds.")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="File of the finished cells.")
def main(
    sets: tuple[str, ...],
    data: Path,
    methods: tuple[str, ...],
    sizes: str,
    pool_rows: int,
    seeds: int,
    results: Path,
) -> None:
    """Measures what is not measured yet, and prints the table."""
    counts, found = [int(size) for size in sizes.split(",")], read_results(results)
    for seed in range(seeds):
        for name in sets:
            pool, held = draw(data / name, pool_rows, seed)
            for method in methods:
                cells = [(name, method, size, seed) for size in counts]
                if all(cell in found for cell in cells):
                    continue
                for cell, value in zip(cells, curve(pool, held, method, counts, seed), strict=True):
                    found[cell] = value
                    row = dict(zip(("set", "method", "size", "seed", "figure"), (*cell, value), strict=True))
                    with results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    click.echo(table(found, counts))


if __name__ == "__main__":
    main()
