"""Compares a default `train` with what people write otherwise, on few and many rows of public sets.

    python -m benchmarks.training.own_data subj cold --data DATA --method train --method train:runs/encoder \
        --method tfidf --method nbsvm --method fasttext --rows 100 --rows 0 --seeds 3 --results cells.jsonl

DATA holds SET/train.parquet, perhaps SET/validation.parquet and SET/test.parquet. Every method gets the same rows, of
which it may put some aside to choose by, and is scored on texts that it never saw: by default up to 1,000 validation
texts of the set (of a set without them a fifth of the training texts), with `--split test` its test file, as the last
thing before figures are published. The figure is accuracy; of several labels a text it is macro-F1.

A method is `train` (the default call; `--set` and `--budget` change it), `train:FOLDER` to start from a folder of
pretrain or a checkpoint, `train:none` to start at random, or a name that `compare` knows. A finished cell stands in the
file of results and is not computed again.
"""

import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.training.own_data_table import table
from training.cli.options import Duration, limit_threads
from training.config.request import CallOptions
from training.experiments.compare import CONTENDERS, measure_outcome
from training.experiments.contender import FitContext
from training.metrics.scores import Scores
from training.runs.session import Session
from training.runs.train import read_texts, train

TRAIN = "train"
MOST_VALIDATED = 1000
HELD_OUT = 0.2

Split = Literal["validation", "test"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A fit to be measured.

    Attributes:
        set: name of the data set.
        method: `train`, `train:FOLDER` or a name of `compare`.
        rows: drawn from the training texts; 0 is all.
        seed: of the draw and of the fit.
        split: that is scored.
        settings: of `train`, beyond the defaults.
        budget_s: of `train`; 0 is its default.
    """

    set: str
    method: str
    rows: int
    seed: int
    split: Split = "validation"
    settings: tuple[str, ...] = ()
    budget_s: float = 0.0


def draw(folder: Path, rows: int, seed: int, split: Split = "validation") -> tuple[pa.Table, pa.Table]:
    """Training rows, and rows to score that are the same for every seed."""
    train_rows, path = pq.read_table(folder / "train.parquet", columns=["text", "label"]), folder / f"{split}.parquet"
    order = np.random.default_rng(0).permutation(len(train_rows))
    if path.exists() or split == "test":
        held = pq.read_table(path, columns=["text", "label"])
        if split == "validation":
            held = held.take(pa.array(np.random.default_rng(0).permutation(len(held))[:MOST_VALIDATED]))
    else:
        count = min(MOST_VALIDATED, int(HELD_OUT * len(train_rows)))
        held, order = train_rows.take(pa.array(order[:count])), order[count:]
    chosen = np.random.default_rng(seed).permutation(order)[: rows or None]
    return train_rows.take(pa.array(chosen)), held


def known(held: pa.Table, train_rows: pa.Table) -> pa.Table:
    """The rows of `held` whose labels are in `train_rows`, for few rows may lack a rare label."""
    if pa.types.is_list(held["label"].type):
        labels = set(pc.unique(train_rows["label"].combine_chunks().flatten()).to_pylist())
        return held.filter(pa.array([labels.issuperset(row) for row in held["label"].to_pylist()]))
    return held.filter(pc.is_in(held["label"], value_set=pc.unique(train_rows["label"])))


def call_of(
    train_rows: pa.Table,
    held: pa.Table,
    folder: Path,
    *,
    seed: int,
    start: Path | str | None = None,
    budget_s: float | None = None,
    settings: tuple[str, ...] = (),
) -> CallOptions:
    """Writes rows to train on and to score into `folder`, and gives the call of `train` that reads them."""
    pq.write_table(train_rows, folder / "train.parquet")
    pq.write_table(known(held, train_rows), folder / "held.parquet")
    return CallOptions(
        output=folder / "model",
        data_root=folder,
        train_file=folder / "train.parquet",
        test=folder / "held.parquet",
        start=start,
        budget_s=budget_s,
        adapt=True,
        settings=("report=false", *settings),
        seed=seed,
    )


def fit(call: CallOptions) -> float:
    """Trains as the call says, and returns the figure on its test texts, 0 to 1."""
    record = train(call.request(), Session(output=call.output, console=Console(quiet=True), device="cpu"))
    if record is None:
        raise KeyboardInterrupt
    return figure(record.evaluations["test"].scores, multi_label=record.task == "multi_label")


def measure(cell: Cell, data: Path, fasttext_s: float) -> float:
    """Fits a method as its user would, and returns its figure on the held-out texts, 0 to 1."""
    method, _, start = cell.method.partition(":")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train_rows, held = draw(data / cell.set, cell.rows, cell.seed, cell.split)
        settings = cell.settings if method == TRAIN else ()
        origin = Path(start) if start not in ("", "none") else start or None
        budget_s = cell.budget_s or None
        call = call_of(train_rows, held, folder, seed=cell.seed, start=origin, budget_s=budget_s, settings=settings)
        if method == TRAIN:
            return fit(call)
        corpus = read_texts(call.request().config, folder)
        context = FitContext(
            request=call.request(),
            corpus=corpus,
            device="cpu",
            budget_s=fasttext_s if method == "fasttext" else None,
            scratch=folder,
            console=Console(quiet=True),
        )
        contender = CONTENDERS[method]
        outcome = measure_outcome(contender, contender.fit(context, cell.seed), corpus, seed=cell.seed, seconds=0.0)
        return figure(outcome.scores, multi_label=corpus.task == "multi_label")


def figure(scores: Scores, *, multi_label: bool) -> float:
    """Accuracy, or macro-F1 where a text has several labels."""
    return scores.macro_f1 if multi_label else scores.accuracy


def read_results(path: Path) -> dict[Cell, float]:
    """Figures by cell, of those that are finished."""
    results = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        row["settings"] = tuple(row["settings"])
        value = row.pop("figure")
        row.pop("seconds")
        results[Cell(**row)] = value
    return results


def run(cells: Iterable[Cell], data: Path, path: Path, fasttext_s: float) -> None:
    """Measures the cells that are not in the file of results yet, and appends each."""
    done = read_results(path)
    for cell in cells:
        if cell not in done:
            began = time.perf_counter()
            value = measure(cell, data, fasttext_s)
            row = {**asdict(cell), "figure": value, "seconds": round(time.perf_counter() - began, 1)}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            click.echo(json.dumps(row), err=True)


def cells_of(
    sets: Sequence[str],
    methods: Sequence[str],
    sizes: Sequence[int],
    seeds: int,
    split: Split,
    settings: Sequence[str],
    budget_s: float = 0.0,
) -> list[Cell]:
    """Every fit that was asked for; of all rows there is one, for every draw would be the same."""
    return [
        Cell(name, method, rows, seed, split, tuple(settings), budget_s)
        if method.startswith(TRAIN)
        else Cell(name, method, rows, seed, split)
        for rows, seed, name, method in product(sizes, range(seeds), sets, methods)
        if rows or not seed
    ]


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--method", "methods", multiple=True, default=(TRAIN,), help="See above. Repeatable.")
@click.option("--rows", "sizes", type=int, multiple=True, default=(300,), help="Training rows; 0 is all. Repeatable.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Of each number of rows.")
@click.option("--split", type=click.Choice(["validation", "test"]), default="validation", show_default=True)
@click.option("--set", "settings", multiple=True, help="As of train. Repeatable.")
@click.option("--budget", "budget_s", type=Duration(), default=0.0, help="As of train.")
@click.option("--fasttext-s", default=60.0, show_default=True, help="Seconds of fastText's autotune.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads.")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="File of finished cells, JSON lines.")
def main(
    sets: tuple[str, ...],
    data: Path,
    methods: tuple[str, ...],
    sizes: tuple[int, ...],
    seeds: int,
    split: Split,
    settings: tuple[str, ...],
    budget_s: float,
    fasttext_s: float,
    threads: int,
    results: Path,
) -> None:
    """Fits every method to every set and prints tables of their figures, of ranks and of distances."""
    limit_threads(threads)
    cells = cells_of(sets, methods, sizes, seeds, split, settings, budget_s)
    run(cells, data, results, fasttext_s)
    found = read_results(results)
    for line in table({cell: found[cell] for cell in cells}):
        click.echo(line)


if __name__ == "__main__":
    main()
