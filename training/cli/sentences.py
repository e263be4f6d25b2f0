"""`python -m training sentences`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import FILE, TEXTS_IN


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
    "--min-words", type=click.IntRange(min=1), default=4, show_default=True, help="Fewest words; marks count."
)
@click.option("--max-words", type=click.IntRange(min=1), default=30, show_default=True, help="Most words.")
@click.option("--limit", type=click.IntRange(min=1), help="Draw so many sentences at random.  [default: all]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@TEXTS_IN
def sentences(files: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Cuts texts into single sentences, each once: for distill --unlabeled.

    A teacher labels short sentences fast, and reviews without labels hold the words that a small labelled set lacks.

    \b
    python -m training sentences reviews.jsonl --limit 100000 --output sentences.parquet
    python -m training distill --train train.csv --teacher teacher --unlabeled sentences.parquet --output student
    """
    from training.data.sentences import write_sentences

    cut = write_sentences(files, output, **options)
    click.echo(f"wrote {cut.written:,} of {cut.fitting:,} fitting sentences in {cut.texts:,} texts to {output}")
