"""Measures explanations: completeness of integrated gradients, and faithfulness by leaving tokens out.

    python -m benchmarks.engine.faithfulness FILE [--checkpoint checkpoints/sentiment] [--texts 1000] [--seeds 5]

FILE is labelled sentences such as sst2/test.parquet; labels are not used. A method ranks a text's tokens by what they
do for the label that the model gives. p(k) is its probability without the first k tokens, q(k) with those alone:

- deletion, insertion: area under p and q over k / T (Petsiuk et al. 2018, section 3.1); p should fall, q rise, at once;
- comprehensiveness, sufficiency: p(0) - p(k) and p(0) - q(k), the mean over k of 1, 5, 10, 20 and 50% of the tokens
  (DeYoung et al. 2020, ERASER, section 4): much is lost without the first tokens, little with them alone.

Methods: integrated gradients; occlusion; gradient · input and the length of the gradient by the embedding at the text;
random order, each text's mean over the seeds. ± is half a 95% interval of the mean over texts; differences are paired.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from model.batch import Ids
from model.checkpoint import load_checkpoint
from model.classifier import set_num_threads
from model.device import resolve_device
from model.explain.attribution import TOLERANCE, integrate, integrated_gradients, shares
from model.explain.explainer import STEPS
from model.explain.log_odds import Floats, Labels, LogOdds, occlusions
from model.temperature import Temperature
from model.text import TextEncoder
from training.data.dataset import read_dataset

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sentiment"

PERCENT = np.array([1, 5, 10, 20, 50])
"""Of the tokens, rounded up. Source: DeYoung et al. 2020, section 4."""

MEASURES = ("deletion ↓", "insertion ↑", "comprehensiveness ↑", "sufficiency ↓")

Score = Callable[[Sequence[Ids], Labels], Floats]
"""The probability of a label each of some texts."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED, show_default="checkpoints/sentiment")
@click.option("--texts", type=click.IntRange(min=2), default=1000, show_default=True, help="Drawn from the file.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Random orders.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def main(file: Path, checkpoint: Path, texts: int, seeds: int, threads: int) -> None:
    """Prints tables in Markdown."""
    set_num_threads(threads)
    loaded = load_checkpoint(checkpoint)
    temperature = Temperature.of_checkpoint(loaded.config, loaded.tokenizer)
    odds = LogOdds(loaded.build_network(), loaded.config.task, temperature, resolve_device("cpu"))
    found = read_dataset(file, text_column="text", label_column="label").texts
    chosen = np.random.default_rng(0).permutation(len(found))[:texts]
    encoded = TextEncoder(loaded.tokenizer, max_tokens=loaded.config.max_tokens).encode([found[i] for i in chosen])
    rows = [text.ids for text in encoded if text.num_tokens]
    labels_N = odds.logits(rows).argmax(1)
    click.echo(f"{len(rows)} texts, {np.mean([len(row) for row in rows]):.1f} tokens each\n")

    attributed = integrated_gradients(odds, rows, labels_N, steps=STEPS)
    print_gaps(odds, rows, labels_N, [text.gap for text in attributed], [text.steps for text in attributed])
    products, lengths = plain_gradients(odds, rows, labels_N)
    methods = {
        "integrated gradients": [text.scores for text in attributed],
        "occlusion": [
            occlusions(odds, row, [range(t, t + 1) for t in range(len(row))], int(label))
            for row, label in zip(rows, labels_N, strict=True)
        ],
        "gradient · input": products,
        "gradient, length": lengths,
    }
    correlations = [rank_correlation(a, b) for a, b in zip(*list(methods.values())[:2], strict=True) if len(a) > 1]

    def score(some: Sequence[Ids], labels: Labels) -> Floats:
        return np.asarray(odds.probabilities(odds.logits(some))[np.arange(len(some)), labels])

    results = {name: measure(score, rows, labels_N, scores) for name, scores in methods.items()}
    orders = [
        [np.random.default_rng([seed, i]).random(len(row)) for i, row in enumerate(rows)] for seed in range(seeds)
    ]
    drawn = np.array([measure(score, rows, labels_N, order) for order in orders])
    results["random"] = drawn.mean(0)
    print_results(results)
    spread = ", ".join(f"{value:.4f}" for value in drawn.mean(1).std(0, ddof=1)) if seeds > 1 else "one only"
    click.echo(f"\nstandard deviation of random's means over seeds: {spread}")
    mean, median = np.mean(correlations), np.median(correlations)
    click.echo(f"rank correlation of integrated gradients with occlusion: mean {mean:.2f}, median {median:.2f}")


def plain_gradients(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels) -> tuple[list[Floats], list[Floats]]:
    """At each text itself: gradient · input (with the n-grams' part), and the gradient's length."""
    products, lengths = [], []
    for i, row in enumerate(rows):
        x_T1E, by_x_T1E, by_logits_1C = odds.gradients([row], labels_N[i : i + 1], np.ones(1))
        product = (x_T1E * by_x_T1E).sum(2)[: len(row), 0].double().numpy()
        products.append(product + shares(odds.network.ngrams, row, by_logits_1C[0].double().numpy()))
        lengths.append(by_x_T1E.norm(dim=2)[: len(row), 0].double().numpy())
    return products, lengths


def measure(score: Score, rows: Sequence[Ids], labels_N: Labels, scores: Sequence[Floats]) -> Floats:
    """The `MEASURES` of each text, [N, 4]."""
    parts: list[Ids] = []
    for row, of_tokens in zip(rows, scores, strict=True):
        order = np.argsort(-of_tokens, kind="stable")
        parts += [row[np.sort(order[k:])] for k in range(len(row) + 1)]
        parts += [row[np.sort(order[:k])] for k in range(len(row) + 1)]
    sizes = [2 * len(row) + 2 for row in rows]
    probabilities = np.split(score(parts, np.repeat(labels_N, sizes)), np.cumsum(sizes)[:-1])
    return np.array([_measures(*np.split(of_text, 2)) for of_text in probabilities])


def _measures(without: Floats, alone: Floats) -> list[float]:
    """Areas and losses of one text, from p(0 to T) and q(0 to T)."""
    num_tokens = len(without) - 1
    first = -(-PERCENT * num_tokens // 100)
    areas = [float(np.trapezoid(curve) / num_tokens) for curve in (without, alone)]
    return [*areas, float((without[0] - without[first]).mean()), float((without[0] - alone[first]).mean())]


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, without ties, of two lists of at least two.

    >>> rank_correlation(np.array([1.0, 5.0, 2.0]), np.array([10.0, 12.0, 11.0]))
    1.0
    """
    return float(np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1].round(12))


def print_gaps(
    odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, gaps: Sequence[float], steps: Sequence[int]
) -> None:
    """Completeness with a fixed number of steps, and as the explainer does it."""
    ends = odds.values(rows, labels_N) - odds.values(rows, labels_N, np.zeros(len(rows)))
    click.echo("| steps | gap, median | 99% | largest | texts above 1% | gradients a text |")
    click.echo("| --- | ---: | ---: | ---: | ---: | ---: |")
    for fixed in (STEPS, 2 * STEPS):
        sums = np.array([scores.sum() for scores in integrate(odds, rows, labels_N, fixed)])
        _print_gap(f"{fixed}", np.abs(sums - ends) / np.abs(ends), fixed)
    used = [count if count == STEPS else STEPS + count for count in steps]
    _print_gap(f"{STEPS}, finer where the gap is above 1%", np.array(gaps), float(np.mean(used)))
    click.echo("")


def _print_gap(name: str, gaps: Floats, gradients: float) -> None:
    numbers = " | ".join(f"{100 * value:.3f}%" for value in np.quantile(gaps, (0.5, 0.99, 1)))
    above = (gaps > TOLERANCE).sum()
    click.echo(f"| {name} | {numbers} | {above} of {len(gaps)} | {gradients:.1f} |")


def print_results(results: dict[str, Floats]) -> None:
    """Means with intervals, and what integrated gradients have before each other method, text by text."""
    click.echo("| | " + " | ".join(MEASURES) + " |")
    click.echo("| --- |" + " ---: |" * len(MEASURES))
    for name, values_N4 in results.items():
        click.echo(f"| {name} | {_intervals(values_N4)} |")
    ours, *others = results.items()
    for name, values_N4 in others:
        click.echo(f"| {ours[0]} less {name} | {_intervals(ours[1] - values_N4, sign='+')} |")


def _intervals(values_N4: npt.NDArray[np.float64], sign: str = "") -> str:
    """Source: the normal interval of a mean, 1.96 standard errors."""
    half = 1.96 * values_N4.std(0, ddof=1) / len(values_N4) ** 0.5
    return " | ".join(f"{mean:{sign}.3f} ± {h:.3f}" for mean, h in zip(values_N4.mean(0), half, strict=True))


if __name__ == "__main__":
    main()
