"""Measures a sentiment checkpoint on public sets, as its card and docs/results.md show it.

    python -m benchmarks.training.sentiment CHECKPOINT --data DIR [--split test] [--card] [--json FILE]

Prints Markdown. DIR holds NAME/SPLIT.parquet of the sets in benchmarks/training/sentiment/sets.py. The sets' labels are
mapped to negative, neutral and positive by training/data/sentiment_sets.toml. Each text is scored once.

Two labels: positive against negative, with neutral texts left out. Three labels: macro-F1 and accuracy beside TF-IDF
with logistic regression that learns from the set's own training split alone. Then neutral facts, the checklist, and
calibration. Choose on validation; read test once for each version of a recipe.
"""

import shlex
import sys
import time
from pathlib import Path

import click

from benchmarks.training.sentiment.baseline import Baseline, score_baseline
from benchmarks.training.sentiment.figures import SentimentFigures, measure_checklist, measure_sets
from benchmarks.training.sentiment.report import card_section, results, with_section
from benchmarks.training.sentiment.sets import read_set, sets_taught
from model.checkpoint import load_checkpoint, replace_card
from model.classifier import Classifier
from training.evaluation.checklist.check import section, table
from training.provenance import describe_machine, origin

MODULE = "benchmarks.training.sentiment"


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Files to read; test is read once for each version of a recipe.",
)
@click.option(
    "--taught",
    multiple=True,
    metavar="NAME|FILE",
    help="A set that the checkpoint learned from, or a training file with a column source. Others are called unseen.",
)
@click.option("--no-baselines", is_flag=True, help="Leave out the linear models, which take most of the time.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here.")
@click.option("--card", is_flag=True, help="Write the figures and the checklist into the checkpoint's card.")
def main(
    checkpoint: Path,
    data: Path,
    split: str,
    taught: tuple[str, ...],
    no_baselines: bool,
    json_file: Path | None,
    card: bool,
) -> None:
    """Prints the tables, and writes what was asked for."""
    loaded = load_checkpoint(checkpoint)
    classifier = Classifier(loaded, device="cpu", threads=1)
    began = time.perf_counter()

    def baseline(name: str) -> Baseline:
        return score_baseline(*(read_set(data, name, part) for part in ("train", "validation", split)))

    def watch(line: str) -> None:
        click.echo(line, err=True)

    sets, absent = measure_sets(
        classifier, data, split, taught=sets_taught(taught), baseline=None if no_baselines else baseline, watch=watch
    )
    figures = SentimentFigures(
        name=checkpoint.resolve().name,
        version=loaded.version,
        labels=classifier.labels,
        split=split,
        sets=sets,
        absent=absent,
        capabilities=measure_checklist(classifier),
        seconds=time.perf_counter() - began,
        command=f"python -m {MODULE} {shlex.join(sys.argv[1:])}",
        machine=describe_machine(),
        **origin(),
    )
    if card:
        text = with_section(section(loaded.card, table(figures.capabilities)), card_section(figures))
        figures = figures.model_copy(update={"version": replace_card(checkpoint, text)})
    click.echo(results(figures))
    if json_file is not None:
        json_file.write_text(figures.model_dump_json(indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
