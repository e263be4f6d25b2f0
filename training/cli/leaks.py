"""`python -m training leaks`."""

from pathlib import Path

import click

from training.cli.options import FILE, TEXTS_IN


@click.command()
@click.argument("training", type=FILE, nargs=-1, required=True)
@click.option(
    "--held-out", type=FILE, multiple=True, required=True, help="A file of validation or test texts. Repeatable."
)
@click.option("--card", type=FILE, metavar="CHECKPOINT", help="Write the table into this checkpoint's card.")
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Show the first N leaking texts of each training file.",
)
@TEXTS_IN
def leaks(
    training: tuple[Path, ...], held_out: tuple[Path, ...], card: Path | None, examples: int, text_column: str | None
) -> None:
    """Checks that no text of the TRAINING files gives away a held-out one.

    A held-out text is leaked by an equal training text, a shared sentence of 4 words (8 Chinese characters) or more, or
    13 words in a row (20 units if one is a Chinese character); case, punctuation and white space do not count. A
    sentence of fewer than 8 words that is less than half of both texts is a stock phrase: counted, but no leak. `mix`
    and `sentences` leave out by the same rule (--without), so their files pass. Exit code 1 if a text is leaked.

    TRAINING are files of any teacher and student: labelled, unlabelled, or labels that `label` wrote. With --card,
    README.md and SHA256SUMS of the checkpoint are written again, and its version changes; scores do not.

    \b
    python -m training leaks train.parquet sentences.parquet --held-out validation.parquet --held-out test.parquet
    """
    from training.errors import RunError
    from training.evaluation.leaks import count_leaks, table, with_section

    added, files = count_leaks(training, held_out, text_column=text_column, num_examples=examples)
    click.echo(table(files))
    for part in added:
        click.echo(f"{part.name}: {part.leaking:,} of {part.rows:,} texts leak")
        for text in part.examples:
            click.echo(f"  {' '.join(text.split())[:200]}")
    if card is not None:
        from model.checkpoint import load_checkpoint, replace_card

        version = replace_card(card, with_section(load_checkpoint(card).card, added, files))
        click.echo(f"The card has the table; the checkpoint is version {version} now.")
    leaked = sum(found.leaked for found in files)
    if leaked:
        raise RunError(f"{leaked:,} held-out texts are leaked; `mix` and `sentences` leave such texts out by --without")
