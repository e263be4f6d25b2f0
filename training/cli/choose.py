"""`python -m training choose`."""

from pathlib import Path

import click

from training.cli.options import DEVICE, FILE, TEXT_COLUMN, THREADS


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--checkpoint", type=FILE, required=True, help="The checkpoint that shall learn from the new labels.")
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True, help="Texts to choose.")
@click.option("--output", type=FILE, required=True, help="The CSV file to write, or a Parquet file by its name.")
@click.option(
    "--but-not",
    type=FILE,
    multiple=True,
    help="A file with texts that have a label already, and are not chosen. Repeatable.",
)
@click.option(
    "--uncertainty",
    type=click.Choice(["entropy", "margin"]),
    default="entropy",
    show_default=True,
    help="How unsure the checkpoint is: over all labels, or between the two most probable ones.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draws.")
@TEXT_COLUMN
@DEVICE
@THREADS
def choose(
    files: tuple[Path, ...],
    checkpoint: Path,
    count: int,
    output: Path,
    but_not: tuple[Path, ...],
    uncertainty: str,
    seed: int,
    text_column: str,
    device: str,
) -> None:
    """Chooses the texts of FILES that a person should label next.

    They are texts of which the checkpoint is unsure and which differ from one another. OUTPUT has the texts in the
    order in which they were chosen, an empty column label, and for each its file and row, the checkpoint's most
    probable label and how unsure it is (0 to 1). In CSV a text that a spreadsheet would take for a formula has an
    apostrophe before it; Parquet has the texts as they are.

    \b
    python -m training choose texts.parquet --checkpoint runs/tickets --count 100 --output next.csv
    """
    from typing import cast

    from training.annotation.choose import Uncertainty
    from training.annotation.choose_files import choose_from, write_chosen

    chosen = choose_from(
        files,
        checkpoint,
        count,
        but_not=but_not,
        kind=cast("Uncertainty", uncertainty),
        seed=seed,
        text_column=text_column,
        device=device,
    )
    write_chosen(output, chosen, text_column=text_column)
    click.echo(f"wrote {len(chosen):,} of {chosen.num_texts:,} distinct texts to {output}")
