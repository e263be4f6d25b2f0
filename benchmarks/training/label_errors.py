"""Plants wrong labels in public sets and measures how many of them the ranking of doubtful labels puts first.

    python -m benchmarks.training.label_errors sst2/train_sentences ag_news_subset/train toutiao_subset/train \
        --data DATA --seeds 3
    python -m benchmarks.training.label_errors … --method networks --seeds 1

DATA holds SET/SPLIT.parquet with the columns text and label (one label a text). Of each set at most --rows texts are
drawn, the labels of 5% of them are replaced by another one at random, and out-of-fold probabilities of every --method
rank the texts. The figure is the share of planted errors among the most doubtful 5%: wrong labels that the set has
anyway count against it. `accuracy` is that of the out-of-fold answers on the labels as published. Where cleanlab is
installed its two rankings of the same probabilities are beside ours. Means over seeds ± half the range.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from model.probabilities import probabilities
from training.cli.options import limit_threads
from training.config.request import CallOptions
from training.data.dataset import Dataset, label_names, read_dataset, truth_of
from training.linear.out_of_fold import NUM_FOLDS, average, out_of_fold
from training.metrics.decisions import Decisions, Floats
from training.metrics.label_errors import precision_at, rank_label_errors
from training.reporting.baseline import sample
from training.reporting.doubts import sentence_vectors
from training.runs.folds import train_folds
from training.runs.session import Session
from training.runs.train import begin

PLANTED = 0.05

OutOfFold = Callable[[Dataset, tuple[str, ...], int], dict[str, Floats]]
"""From texts with labels, the names of labels and a seed to out-of-fold probabilities [N, C] by the judge's name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of one draw: each share is 0 to 1."""

    accuracy: float
    precisions: dict[str, float]
    seconds: float


def by_tfidf(dataset: Dataset, labels: tuple[str, ...], seed: int) -> dict[str, Floats]:
    """Logistic regression over TF-IDF alone."""
    return {"TF-IDF": out_of_fold(dataset, labels, seed=seed)}


def by_vectors(dataset: Dataset, labels: tuple[str, ...], seed: int) -> dict[str, Floats]:
    """Regressions over TF-IDF and over sentence vectors, as the report has them where there are no folds."""
    vectors_ND = sentence_vectors(dataset.texts)
    if vectors_ND is None:
        raise click.UsageError("checkpoints/encoder is not there")
    return {"TF-IDF and vectors": out_of_fold(dataset, labels, vectors_ND=vectors_ND, seed=seed)}


def by_networks(dataset: Dataset, labels: tuple[str, ...], seed: int) -> dict[str, Floats]:
    """Networks of a default `train` with n-grams beside them, by folds; and these together with both regressions."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "train.parquet"
        columns = {"text": dataset.texts, "label": [names[0] for names in dataset.labels]}
        pq.write_table(pa.table(columns), file)
        settings = ("report=false", f"data.folds={NUM_FOLDS}")
        call = CallOptions(
            output=Path(scratch) / "model",
            data_root=Path(scratch),
            train_file=file,
            settings=settings,
            seed=seed,
            adapt=True,
        )
        session = Session(output=call.output, device="cpu", console=Console(quiet=True))
        trained = train_folds(begin(call.request(), session))
    if trained is None or trained.held_out_NC is None:
        raise KeyboardInterrupt
    networks_NC = probabilities(trained.held_out_NC.astype(np.float64), task="single_label")
    (others_NC,) = by_vectors(dataset, labels, seed).values()
    together_NC = average([networks_NC, others_NC], task="single_label")
    return {"networks": networks_NC, "networks and regressions": together_NC}


METHODS: dict[str, OutOfFold] = {"tfidf": by_tfidf, "vectors": by_vectors, "networks": by_networks}


def plant(dataset: Dataset, labels: tuple[str, ...], seed: int) -> tuple[Dataset, Decisions]:
    """The data set with `PLANTED` of its labels replaced by another one, and which texts these are [N]."""
    rng = np.random.default_rng(seed)
    wrong_N = np.zeros(len(dataset), dtype=np.bool_)
    wrong_N[rng.permutation(len(dataset))[: round(PLANTED * len(dataset))]] = True
    others = [[label for label in labels if (label,) != names] for names in dataset.labels]
    changed = [
        (str(rng.choice(other)),) if wrong else names
        for names, other, wrong in zip(dataset.labels, others, wrong_N.tolist(), strict=True)
    ]
    return replace(dataset, labels=changed), wrong_N


def measure(dataset: Dataset, labels: tuple[str, ...], method: OutOfFold, seed: int) -> dict[str, Outcome]:
    """Plants errors, ranks, and looks at the first `PLANTED` of the texts; by the judge's name."""
    planted, wrong_N = plant(dataset, labels, seed)
    began = time.process_time()
    found = method(planted, labels, seed)
    seconds = time.process_time() - began
    given_NC, truth_NC = truth_of(planted, labels), truth_of(dataset, labels)
    return {name: judge(p_NC, given_NC, truth_NC, wrong_N, seconds) for name, p_NC in found.items()}


def judge(p_NC: Floats, given_NC: Decisions, truth_NC: Decisions, wrong_N: Decisions, seconds: float) -> Outcome:
    """The figures of one judge's probabilities."""
    precisions = {
        "self-confidence": precision_at(
            rank_label_errors(p_NC, given_NC, task="single_label", by="self_confidence"), wrong_N, PLANTED
        ),
        "margin": precision_at(rank_label_errors(p_NC, given_NC, task="single_label", by="margin"), wrong_N, PLANTED),
        **dict(by_cleanlab(p_NC, given_NC.argmax(axis=1), wrong_N)),
    }
    right_N = p_NC.argmax(axis=1) == truth_NC.argmax(axis=1)
    return Outcome(float(right_N.mean()), precisions, seconds)


def by_cleanlab(p_NC: Floats, given_N: npt.NDArray[np.int64], wrong_N: Decisions) -> Iterator[tuple[str, float]]:
    """Precision of cleanlab's rankings, where it is installed."""
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return
    count = round(PLANTED * len(wrong_N))
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        for adjust in (False, True):
            if adjust and method == "confidence_weighted_entropy":
                continue
            scores_N = get_label_quality_scores(given_N, p_NC, method=method, adjust_pred_probs=adjust)
            first = np.argsort(scores_N, kind="stable")[:count]
            yield f"cleanlab {method}{' adjusted' * adjust}", float(wrong_N[first].mean())


def cells(outcomes: list[Outcome]) -> list[str]:
    """Accuracy, precisions and time of several draws."""
    precisions = [mean_and_spread([one.precisions[key] for one in outcomes]) for key in outcomes[0].precisions]
    accuracy = mean_and_spread([one.accuracy for one in outcomes])
    return [accuracy, *precisions, f"{np.mean([one.seconds for one in outcomes]):.0f}"]


def mean_and_spread(values: list[float]) -> str:
    """The mean in percent ± half the range."""
    return f"{100 * np.mean(values):.1f} ± {50 * (max(values) - min(values)):.1f}"


@click.command()
@click.argument("sets", nargs=-1, required=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets.")
@click.option("--method", "methods", type=click.Choice(list(METHODS)), multiple=True, default=["tfidf", "vectors"])
@click.option("--rows", type=click.IntRange(min=100), default=5000, show_default=True, help="Texts of each set.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
def main(sets: tuple[str, ...], data: Path, methods: tuple[str, ...], rows: int, seeds: int) -> None:
    """Prints a table as Markdown: a line for each set and method."""
    limit_threads(1)
    printed = False
    for name in sets:
        whole = read_dataset(data / f"{name}.parquet", text_column="text", label_column="label")
        for method in methods:
            drawn = [sample(whole, rows, seed) for seed in range(seeds)]
            found = [measure(one, label_names(one), METHODS[method], seed) for seed, one in enumerate(drawn)]
            for judged_by in found[0]:
                outcomes = [one[judged_by] for one in found]
                if not printed:
                    titles = ["set", "texts", "judged by", "accuracy", *outcomes[0].precisions, "CPU seconds"]
                    click.echo(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
                    printed = True
                click.echo(f"| {name} | {len(drawn[0]):,} | {judged_by} | {' | '.join(cells(outcomes))} |")


if __name__ == "__main__":
    main()
