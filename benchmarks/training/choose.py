"""Compares labels that `training choose` asks for with as many of texts drawn at random.

    python -m benchmarks.training.choose emotion thucnews_titles sst2 --data DATA --seeds 5 --results choose.jsonl

DATA holds SET/train.parquet and perhaps SET/validation.parquet. A person is played by the labels of the file. Chosen
texts begin with typical ones of a pool of at most `--pool` texts, before any label; then, for each further size, what
has learned from the labels chooses the next ones. The figure is accuracy on up to 1,000 validation texts (a fifth of
the training texts of a set without them), never on a test file.

The learner is the head that `train` fits to the vectors of the shipped encoder before layers move (`head`, seconds a
curve), or the whole default training with the command itself (`train`, a minute a model). The second table has the
labels that chosen texts need for the accuracy that random ones reach, over the number of these.

A finished curve, a set with a method, a learner, sizes and a seed, stands in the file of results and is not computed
again.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.training.own_data import call_of, draw, fit, known
from model.embedder import load_embedder
from model.probabilities import probabilities
from model.vectors import embed
from training.annotation.choose import choose_typical, choose_unsure, uncertainty
from training.annotation.choose_files import choose_from
from training.config.layers import ENCODER
from training.linear.probe import choose_strength, fit_logistic
from training.linear.targets import Targets
from training.metrics.decisions import one_hot

METHODS = ("random", "chosen")
FOLDS = 4

Curve = Callable[[pa.Table, pa.Table, str, Sequence[int], int], list[float]]
"""Figures at each size, of a pool of texts in random order, held-out texts, a method, sizes and a seed."""

Key = tuple[str, str, str, str, int]
"""Set, learner, method, sizes, seed."""


def head_curve(pool: pa.Table, held: pa.Table, method: str, sizes: Sequence[int], seed: int) -> list[float]:
    """The curve of a head on the encoder's vectors; see `Curve`."""
    features, states = (load_embedder(ENCODER, vectors=name, device="cpu", threads=1) for name in ("all", "pooled"))
    texts = pool["text"].to_pylist()
    features_NF, states_NP = embed(features, texts), embed(states, texts)
    labels, label_N = np.unique(pool["label"].to_pylist(), return_inverse=True)
    features_HF, truth_H = embed(features, held["text"].to_pylist()), np.array(held["label"].to_pylist())
    places: list[int] = []
    figures, head = [], None
    for size in sizes:
        left, count = np.setdiff1d(np.arange(len(pool)), places), size - len(places)
        if method == "random":
            places += left[:count].tolist()  # the pool's order is random
        elif head is None:
            places += choose_typical(features_NF, count, seed=seed).tolist()
        else:
            unsure = uncertainty(probabilities(features_NF[left] @ head[0].T + head[1], task="single_label"))
            places += left[choose_unsure(unsure, lambda kept: states_NP[left[kept]], count, seed=seed)].tolist()  # noqa: B023
        head = fit_head(features_NF[places], one_hot(label_N[places], len(labels)), seed)
        figures.append(float((labels[(features_HF @ head[0].T + head[1]).argmax(axis=1)] == truth_H).mean()))
    return figures


def fit_head(features_NF: npt.NDArray[Any], truth_NC: npt.NDArray[np.bool_], seed: int) -> tuple[Any, Any]:
    """Weight and bias of the regression whose strength is best by folds."""
    fold_N = np.random.default_rng(seed).permutation(len(truth_NC)) % FOLDS
    parts = [(np.flatnonzero(fold_N != fold), np.flatnonzero(fold_N == fold)) for fold in range(FOLDS)]
    strength = choose_strength(features_NF, Targets(truth_NC), parts, "single_label")
    return fit_logistic(features_NF, Targets(truth_NC), strength, "single_label")


def train_curve(pool: pa.Table, held: pa.Table, method: str, sizes: Sequence[int], seed: int) -> list[float]:
    """The curve of default trainings and of the command; see `Curve`.

    A held-out text whose label is in no labelled row counts as wrong.
    """
    places: list[int] = []
    figures: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = ENCODER
        for size in sizes:
            folder = Path(scratch) / str(size)
            folder.mkdir()
            places += next_rows(pool, places, size - len(places), method, checkpoint, folder, seed)
            rows, checkpoint = pool.take(pa.array(places)), folder / "model"
            figures.append(fit(call_of(rows, held, folder, seed=seed)) * len(known(held, rows)) / len(held))
    return figures


def next_rows(
    pool: pa.Table, places: Sequence[int], count: int, method: str, checkpoint: Path, folder: Path, seed: int
) -> list[int]:
    """Places of the next `count` texts to label: at random, or as the checkpoint or encoder chooses."""
    left = [place for place in range(len(pool)) if place not in set(places)]
    if method == "random":
        return left[:count]  # the pool's order is random
    pq.write_table(pool.take(pa.array(left)).select(["text"]), folder / "left.parquet")
    chosen = choose_from([folder / "left.parquet"], checkpoint, count, seed=seed, device="cpu")
    return [left[row - 1] for row in chosen.rows]


LEARNERS: dict[str, Curve] = {"head": head_curve, "train": train_curve}


def read_results(path: Path) -> dict[Key, list[float]]:
    """Curves that are finished."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {(row["set"], row["learner"], row["method"], row["sizes"], row["seed"]): row["figures"] for row in rows}


def needed(figures: Sequence[float], sizes: Sequence[int], target: float) -> float:
    """The labels with which a curve reaches a figure first, between two sizes by a straight line; NaN if it does not.

    >>> needed([0.5, 0.7], [100, 200], 0.6)
    150.0
    """
    for place, figure in enumerate(figures):
        if figure >= target:
            if place == 0:
                return float(sizes[0])
            before, step = figures[place - 1], sizes[place] - sizes[place - 1]
            return float(round(sizes[place - 1] + step * (target - before) / (figure - before), 6))
    return float("nan")


def tables(means: dict[tuple[str, str], list[float]], sizes: Sequence[int]) -> list[str]:
    """Mean accuracies, and the labels that chosen texts need over those that random ones took, as Markdown."""
    lines = [f"| set | labels | {' | '.join(map(str, sizes))} |", f"| --- | --- |{' ---: |' * len(sizes)}"]
    lines += [f"| {name} | {m} | {' | '.join(f'{100 * x:.1f}' for x in row)} |" for (name, m), row in means.items()]
    lines += ["", f"| set | {' | '.join(f'as {size} at random' for size in sizes[1:])} |"]
    lines.append(f"| --- |{' ---: |' * len(sizes[1:])}")
    for name in dict.fromkeys(name for name, _ in means):
        targets = np.maximum.accumulate(means[name, "random"])[1:]
        shares = [needed(means[name, "chosen"], sizes, t) / n for t, n in zip(targets, sizes[1:], strict=True)]
        lines.append(f"| {name} | {' | '.join('more' if np.isnan(x) else f'{x:.0%}' for x in shares)} |")
    return lines


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--learner", type=click.Choice(list(LEARNERS)), default="head", show_default=True)
@click.option("--sizes", default="50,100,200,300,400,500", show_default=True, help="Labels, with commas between them.")
@click.option("--pool", "pool_rows", default=5000, show_default=True, help="Texts to choose from, at most.")
@click.option("--seeds", default=5, show_default=True, help="Number of seeds.")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="File of the finished curves.")
def main(
    sets: tuple[str, ...], data: Path, learner: str, sizes: str, pool_rows: int, seeds: int, results: Path
) -> None:
    """Measures what is not measured yet, and prints the tables."""
    counts, found = [int(size) for size in sizes.split(",")], read_results(results)
    means = {}
    for name in sets:
        for method in METHODS:
            curves = []
            for seed in range(seeds):
                key = (name, learner, method, sizes, seed)
                if key not in found:
                    pool, held = draw(data / name, pool_rows, seed)
                    found[key] = LEARNERS[learner](pool, held, method, counts, seed)
                    row = dict(zip(("set", "learner", "method", "sizes", "seed"), key, strict=True))
                    with results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row | {"figures": found[key]}) + "\n")
                curves.append(found[key])
            means[name, method] = np.mean(curves, axis=0).tolist()
    for line in tables(means, counts):
        click.echo(line)


if __name__ == "__main__":
    main()
