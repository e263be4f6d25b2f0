"""`python -m training contrast`."""

from pathlib import Path

import click

from training.cli.options import FILE


@click.command()
@click.option(
    "--language",
    "languages",
    type=click.Choice(["en", "zh"]),
    multiple=True,
    required=True,
    help="Language; repeatable.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1, max=100_000),
    default=10_000,
    show_default=True,
    help="Judgements, per language.",
)
@click.option(
    "--neutral",
    type=click.IntRange(min=0, max=100_000),
    default=0,
    show_default=True,
    help="Statements without a judgement, per language, labelled neutral.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
def contrast(languages: tuple[str, ...], count: int, neutral: int, seed: int, output: Path) -> None:
    """Writes sentences in which small words decide, labelled positive and negative: for mix.

    Negation and its scope, double negation, hopes and how they end, then and now, question and answer, comparisons,
    wishes, the opinions of others, emoji, hashtags; as reviews, posts, chat, support tickets and news. Each rule gives
    a sentence and its opposite, so that a model has to read the small words. --neutral adds plain statements
    (deliveries, weather, schedules, questions, ...) and even judgements, for a model of three labels.

    \b
    python -m training contrast --language en --language zh --neutral 5000 --output contrast.parquet
    python -m training mix reviews.csv contrast.parquet --output train.parquet
    """
    from training.data.contrast.draw import write_sentences

    written = write_sentences(list(dict.fromkeys(languages)), output, count=count, neutral=neutral, seed=seed)
    click.echo(f"wrote {written:,} sentences to {output}")
