"""Compares what training starts from: nothing, or folders of pretrain or checkpoints, by validation accuracy.

    python -m benchmarks.training.starts subj cold --data DATA --start none --start runs/encoder \
        --rows 300 --rows 0 --seeds 3 --results starts.jsonl

DATA holds SET/train.parquet and perhaps SET/validation.parquet; of a set without one a fifth of the training texts is
held out. Test files are not opened. Every start gets the same rows and the same settings (`--set`). N-grams are left
out: every start would get the same ones. Accuracy is that on up to 1,000 validation texts, half of which picked the
weights. A finished cell stands in the file of results and is not computed again.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from training.config.request import CallOptions
from training.config.start import load_start
from training.data.tokenizer import train_tokenizer
from training.runs.classifier import encode_examples, new_encoder
from training.runs.train import build_trainer, read_texts

NOTHING = "none"
MOST_VALIDATED = 1000
HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Cell:
    """A training to be measured.

    Attributes:
        set: name of the data set.
        start: a folder, or `none`.
        rows: drawn from the training texts; 0 is all.
        seed: of the draw and of the training.
        settings: beyond the defaults.
    """

    set: str
    start: str
    rows: int
    seed: int
    settings: tuple[str, ...] = ()


def draw(folder: Path, rows: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Training rows, and validation rows that are the same for every seed."""
    train, path = pq.read_table(folder / "train.parquet", columns=["text", "label"]), folder / "validation.parquet"
    order = np.random.default_rng(0).permutation(len(train))
    if path.exists():
        held = pq.read_table(path, columns=["text", "label"])
        held = held.take(pa.array(np.random.default_rng(0).permutation(len(held))[:MOST_VALIDATED]))
    else:
        count = min(MOST_VALIDATED, int(HELD_OUT * len(train)))
        held, order = train.take(pa.array(order[:count])), order[count:]
    chosen = np.random.default_rng(seed).permutation(order)[: rows or None]
    return train.take(pa.array(chosen)), held


def measure(cell: Cell, data: Path) -> float:
    """Trains a classifier as `train` does, but for n-grams, and returns its validation accuracy, 0 to 1."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train, held = draw(data / cell.set, cell.rows, cell.seed)
        known = pc.is_in(held["label"], value_set=pc.unique(train["label"]))  # few rows may lack a rare label
        pq.write_table(train, folder / "train.parquet")
        pq.write_table(held.filter(known), folder / "held.parquet")
        call = CallOptions(
            output=folder / "model",
            data_root=folder,
            train_file=folder / "train.parquet",
            validation=folder / "held.parquet",
            start=None if cell.start == NOTHING else Path(cell.start),
            settings=("ngrams.buckets=0", *cell.settings),
            seed=cell.seed,
        )
        config = call.request().config
        corpus = read_texts(config, folder)
    start = None if config.start is None else load_start(Path(config.start))
    tokenizer = train_tokenizer(config.tokenizer, corpus.train.texts) if start is None else start.tokenizer
    trainer = build_trainer(config, corpus, tokenizer, start=start, device=torch.device("cpu"))
    trainer.run()
    examples = encode_examples(corpus.validation, corpus, new_encoder(config, tokenizer))
    return int((trainer.logits(examples).argmax(1) == examples.targets).sum()) / len(held)


def read_results(path: Path) -> dict[Cell, float]:
    """Accuracy by cell, of those that are finished."""
    results = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        row["settings"] = tuple(row["settings"])
        accuracy = row.pop("accuracy")
        row.pop("seconds")
        results[Cell(**row)] = accuracy
    return results


def table(results: dict[Cell, float], cells: Sequence[Cell]) -> Iterator[str]:
    """Markdown: a row for a set and a number of rows, a column for a start; mean accuracy and half the range."""
    starts, kinds = (
        list(dict.fromkeys(cell.start for cell in cells)),
        list(dict.fromkeys((c.set, c.rows) for c in cells)),
    )
    yield f"| set | rows | {' | '.join(map(_name, starts))} |"
    yield f"| --- | ---: |{' ---: |' * len(starts)}"
    means: dict[tuple[int, str], list[float]] = {}
    for name, rows in kinds:
        shown = []
        for start in starts:
            same = [results[c] for c in cells if (c.set, c.rows, c.start) == (name, rows, start) and c in results]
            shown.append(_spread(same))
            means.setdefault((rows, start), []).extend([statistics.fmean(same)] if same else [])
        yield f"| {name} | {rows or 'all'} | {' | '.join(shown)} |"
    for rows in dict.fromkeys(rows for _, rows in kinds):
        found = [_spread([statistics.fmean(means[rows, start])] if means[rows, start] else []) for start in starts]
        yield f"| mean | {rows or 'all'} | {' | '.join(found)} |"


def _spread(accuracies: Sequence[float]) -> str:
    if not accuracies:
        return "-"
    mean = f"{100 * statistics.fmean(accuracies):.1f}"
    return mean if len(accuracies) == 1 else f"{mean} ± {50 * (max(accuracies) - min(accuracies)):.1f}"


def _name(start: str) -> str:
    return Path(start).name


def run(cells: Iterable[Cell], data: Path, path: Path) -> None:
    """Measures the cells that are not in the file of results yet, and appends each."""
    done = read_results(path)
    for cell in cells:
        if cell not in done:
            began = time.perf_counter()
            row = {**asdict(cell), "accuracy": measure(cell, data), "seconds": round(time.perf_counter() - began, 1)}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            click.echo(json.dumps(row), err=True)


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--start", "starts", multiple=True, default=(NOTHING,), help="A folder, or none. Repeatable.")
@click.option("--rows", "sizes", type=int, multiple=True, default=(300,), help="Training rows; 0 is all. Repeatable.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Of each number of rows.")
@click.option("--set", "settings", multiple=True, help="As of train. Repeatable.")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="File of finished cells, JSON lines.")
def main(
    sets: tuple[str, ...],
    data: Path,
    starts: tuple[str, ...],
    sizes: tuple[int, ...],
    seeds: int,
    settings: tuple[str, ...],
    results: Path,
) -> None:
    """Trains from every start on every set and prints a table of validation accuracies."""
    torch.set_num_threads(1)
    cells = [
        Cell(name, start, rows, seed, settings)
        for rows, seed, name, start in product(sizes, range(seeds), sets, starts)
    ]
    run(cells, data, results)
    for line in table(read_results(results), cells):
        click.echo(line)


if __name__ == "__main__":
    main()
