"""Continues a checkpoint with new labels, and measures what is kept, what is learned, and what all at once would give.

    python -m benchmarks.training.continuing toutiao_subset ag_news_subset --data DATA --rows 600 --seeds 2

DATA holds SET/train.parquet and perhaps SET/validation.parquet; test files are not read. Half of the labels, drawn by
the seed, and so many texts of them make the old checkpoint. Then it goes on with as many texts of the other half, and
with none or some texts of each old label among them (`--replay`). The figures are accuracies on held-out texts of the
old labels, of the new ones and of all. With `--part rows` both halves have all labels.

| method | is |
| --- | --- |
| at once | a default `train` on the texts of both halves |
| old | the checkpoint that the others start from |
| continue | `train --start OLD` |
| drop | `train --start OLD --drop-old-labels`: layers and rows of common labels, and no thought of the others |
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from benchmarks.training.own_data import draw
from model.classifier import Classifier
from training.cli.options import limit_threads
from training.config.request import CallOptions
from training.evaluation.evaluate import logits_of
from training.runs.session import Session
from training.runs.train import train

Part = Literal["labels", "rows"]
Figures = tuple[float, float, float]
"""Accuracy in percent on texts of old labels, of new labels and on all; NaN where there are none."""


@dataclass(frozen=True, slots=True)
class Halves:
    """Texts of the old checkpoint, texts to go on with, and held-out texts.

    Attributes:
        old, new: training texts.
        held: of all labels.
        old_labels: labels of `old`.
    """

    old: pa.Table
    new: pa.Table
    held: pa.Table
    old_labels: frozenset[str]


def halves(folder: Path, rows: int, seed: int, part: Part) -> Halves:
    """Draws the texts of both halves, at most `rows` each."""
    train_rows, held = draw(folder, 0, seed)
    labels, rng = sorted(set(train_rows["label"].to_pylist())), np.random.default_rng(seed)
    found = np.array(train_rows["label"].to_pylist())
    if part == "rows":
        first, second = np.arange(rows), np.arange(rows, 2 * rows)
        chosen = frozenset(labels)
    else:
        chosen = frozenset(labels[place] for place in rng.permutation(len(labels))[: (len(labels) + 1) // 2])
        is_old = np.isin(found, sorted(chosen))
        first, second = np.flatnonzero(is_old)[:rows], np.flatnonzero(~is_old)[:rows]
    return Halves(train_rows.take(pa.array(first)), train_rows.take(pa.array(second)), held, chosen)


def replayed(table: pa.Table, count: int) -> pa.Table:
    """The first `count` texts of each label."""
    seen: Counter[str] = Counter()
    places = []
    for place, label in enumerate(table["label"].to_pylist()):
        if seen[label] < count:
            places.append(place)
        seen[label] += 1
    return table.take(pa.array(places, type=pa.int64()))


def fit(table: pa.Table, output: Path, settings: Sequence[str], seed: int, start: Path | None, drop: bool) -> Path:
    """Trains on the texts as a default call does."""
    file = output.with_suffix(".parquet")
    pq.write_table(table, file)
    call = CallOptions(
        output=output,
        data_root=output.parent,
        train_file=file,
        start=start,
        drop_old_labels=drop or None,
        adapt=True,
        settings=("report=false", *settings),
        seed=seed,
    )
    if train(call.request(), Session(output=output, console=Console(quiet=True), device="cpu")) is None:
        raise KeyboardInterrupt
    return output


def figures(checkpoint: Path, held: pa.Table, old_labels: frozenset[str]) -> Figures:
    """Accuracies of the checkpoint's most probable label."""
    classifier = Classifier.load(checkpoint, device="cpu")
    logits_NC = logits_of(classifier, classifier.encode(held["text"].to_pylist()))
    truth = held["label"].to_pylist()
    right_N = np.array([classifier.labels[place] for place in logits_NC.argmax(1)]) == np.array(truth)
    is_old_N = np.array([label in old_labels for label in truth])

    def percent(some_N: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        return 100 * float(right_N[some_N].mean()) if some_N.any() else float("nan")

    return percent(is_old_N), percent(~is_old_N), percent(np.ones_like(is_old_N))


def measure(
    folder: Path, rows: int, seed: int, part: Part, replays: Sequence[int], settings: Sequence[str]
) -> Iterator[tuple[str, Figures]]:
    """The figures of each method."""
    drawn = halves(folder, rows, seed, part)
    with tempfile.TemporaryDirectory() as scratch:
        both = pa.concat_tables([drawn.old, drawn.new])
        old = fit(drawn.old, Path(scratch) / "old", settings, seed, None, False)
        yield "old", figures(old, drawn.held, drawn.old_labels)
        at_once = fit(both, Path(scratch) / "at-once", settings, seed, None, False)
        yield "at once", figures(at_once, drawn.held, drawn.old_labels)
        for count in replays:
            table = pa.concat_tables([drawn.new, replayed(drawn.old, count)]) if count else drawn.new
            for method in ("continue", "drop"):
                name = f"{method}, {count} of each old label" if part == "labels" else f"{method}, {count} old of each"
                output = Path(scratch) / f"{method}-{count}"
                fit(table, output, settings, seed, old, method == "drop")
                yield name, figures(output, drawn.held, drawn.old_labels)


def table(found: dict[tuple[str, str], list[Figures]]) -> Iterator[str]:
    """Lines of a Markdown table of means over seeds, by set and method."""
    yield "| set | method | old labels | new labels | all |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for (name, method), each in found.items():
        cells = ["" if np.isnan(value) else f"{value:.1f}" for value in np.mean(each, axis=0)]
        yield f"| {name} | {method} | {' | '.join(cells)} |"


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--rows", type=click.IntRange(min=1), default=600, show_default=True, help="Texts of each half.")
@click.option("--replay", "replays", type=int, multiple=True, default=(0, 20), help="Old texts a label. Repeatable.")
@click.option("--part", type=click.Choice(["labels", "rows"]), default="labels", show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=2, show_default=True, help="From 0 on.")
@click.option("--set", "settings", multiple=True, help="As of train. Repeatable.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads.")
def main(
    sets: tuple[str, ...],
    data: Path,
    rows: int,
    replays: tuple[int, ...],
    part: Part,
    seeds: int,
    settings: tuple[str, ...],
    threads: int,
) -> None:
    """Continues checkpoints of every set and prints a table of accuracies."""
    limit_threads(threads)
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for name in sets:
        for seed in range(seeds):
            for method, each in measure(data / name, rows, seed, part, replays, settings):
                found[name, method].append(each)
                click.echo(f"{name} {seed} {method}: {each[0]:.1f} {each[1]:.1f} {each[2]:.1f}", err=True)
    for line in table(found):
        click.echo(line)


if __name__ == "__main__":
    main()
