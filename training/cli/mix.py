"""`python -m training mix`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.options import FILE, LABELS_IN, TEXTS_IN, label_options

if TYPE_CHECKING:
    from training.data.mix import MixOptions, MixReport


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@click.option(
    "--without",
    type=FILE,
    multiple=True,
    help="A file of which nothing is to be taken, by the rule of leaks. Repeatable.",
)
@click.option(
    "--label-map",
    multiple=True,
    metavar="OURS=THEIRS",
    help="The label to write for one of the files' labels. Repeatable; rows with other labels are then left out.",
)
@click.option(
    "--sentiment-labels",
    is_flag=True,
    help="Map the labels of public sets of sentiment and emotion to negative, neutral and positive.",
)
@click.option("--unlabeled", is_flag=True, help="Read and write no labels: texts for a teacher to label.")
@click.option(
    "--source-column",
    help="Column that names each text's data set, as an earlier mix wrote it.  [default: a file is a set]",
)
@click.option(
    "--drop-emoticons",
    is_flag=True,
    help="Take emoticons such as [泪] out of posts that were labelled by them; posts of fewer than 4 letters go.",
)
@click.option(
    "--mask-personal",
    is_flag=True,
    help="Put fixed words in place of e-mail addresses and telephone numbers.",
)
@click.option(
    "--weight-column",
    metavar="NAME",
    help="Column of a weight for each text, which is kept in a column weight. Texts of weight 0 are left out; those of "
    "a file without the column weigh 1.  [default: no weights are kept]",
)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="SET=NUMBER",
    help="Weight of each text of a data set, as the column source names it, in a column weight; 1 for others, and "
    "times the text's own with --weight-column. Repeatable; for train --weight-column weight.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Draw so many texts of each data set.  [default: all]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@TEXTS_IN
@LABELS_IN
@label_options
def mix(
    files: tuple[Path, ...],
    output: Path,
    without: tuple[Path, ...],
    label_map: tuple[str, ...],
    sentiment_labels: bool,
    unlabeled: bool,
    label_column: str | None,
    keep_labels: tuple[str, ...],
    label_separator: str | None,
    merge_labels: bool | None,
    weights: tuple[str, ...],
    **options: Any,
) -> None:
    """Makes one training file out of several: each text once, and none that leaks a test text.

    The column source says where each text came from, as FOLDER/FILE, with further folders where files would be called
    alike; other columns are not kept, but weights with --weight-column. What --sentiment-labels calls positive, neutral
    and negative stands in training/data/sentiment_sets.toml.

    \b
    python -m training mix a/train.csv b/train.csv --without a/test.csv --without b/test.csv --output mixed.parquet
    python -m training mix sst5/train.parquet cr/train.parquet --label-map "negative=very negative" \\
        --label-map "positive=very positive" --label-map neutral=none --output mixed.parquet
    python -m training mix sst5/train.parquet go_emotions/train.parquet --sentiment-labels --output mixed.parquet
    python -m training mix tweets.csv sentences.parquet --unlabeled --without test.csv --output texts.parquet
    """
    from tables.labels import LabelRules
    from training.data.mix import MixOptions, mix_files
    from training.data.sentiment_sets import SENTIMENT
    from training.errors import UsageError
    from training.fit.imitation import parse_label_map

    if sentiment_labels and label_map:
        raise UsageError("--sentiment-labels and --label-map: give one of them")
    about_labels = (sentiment_labels, label_map, label_column, keep_labels, label_separator, merge_labels)
    if unlabeled and any((*about_labels, options["source_column"], options["weight_column"])):
        raise UsageError("--unlabeled reads texts only; leave out options on labels, --source-column, --weight-column")
    mapping = SENTIMENT.labels if sentiment_labels else parse_label_map(label_map)
    chosen = MixOptions(
        mapping=mapping,
        rules=LabelRules.named(keep_labels, label_separator, merge_labels),
        label_column=label_column,
        unlabeled=unlabeled,
        weights=dict(map(_weight, weights)),
        **options,
    )
    for report in mix_files(files, output, without=without, options=chosen):
        click.echo(_line(report, chosen))


def _line(report: "MixReport", options: "MixOptions") -> str:
    """The report of one file; reasons that the options rule out are not named."""
    dropped = f"held out {report.held_out:,}, repeated {report.repeated:,}, contradicted {report.contradicted:,}"
    dropped += f", unmapped {report.unmapped:,}" if options.mapping or options.drop_emoticons else ""
    dropped += f", beyond the limit {report.beyond_limit:,}" if options.limit else ""
    return f"{report.path}: kept {report.kept:,}, {dropped}"


def _weight(pair: str) -> tuple[str, float]:
    """The data set and the weight of SET=NUMBER.

    Raises:
        click.BadParameter: it is none.
    """
    name, _, number = pair.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not name or not 0 <= weight < math.inf:
        raise click.BadParameter(f"{pair}: write SET=NUMBER, a number of 0 or more", param_hint="--weight")
    return name, weight
