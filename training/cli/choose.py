"""`python -m training choose`."""

from pathlib import Path

import click

from training.cli.options import DEVICE, FILE, TEXTS_IN, THREADS


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option(
    "--checkpoint",
    type=FILE,
    help="The checkpoint that shall learn from the new labels, or a folder of pretrain while there are none.  "
    "[default: the shipped encoder, of English and Chinese]",
)
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True, help="Texts to choose.")
@click.option("--output", type=FILE, required=True, help="The CSV file to write, or a Parquet file by its name.")
@click.option(
    "--but-not",
    type=FILE,
    multiple=True,
    help="A file with texts that have a label already, and are not chosen. Repeatable.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the clusters.")
@TEXTS_IN
@DEVICE
@THREADS
def choose(
    files: tuple[Path, ...],
    checkpoint: Path | None,
    count: int,
    output: Path,
    but_not: tuple[Path, ...],
    seed: int,
    text_column: str | None,
    device: str,
) -> None:
    """Chooses the texts of FILES that a person should label next.

    With a checkpoint they are texts of which it is unsure and which differ from one another. Without one, before the
    first labels, they are typical of groups of like texts. OUTPUT has them in the order in which they were chosen, an
    empty column label, and for each its file and row and, of a checkpoint, the most probable label and how unsure it is
    (0 to 1). In CSV a text that a spreadsheet would take for a formula has an apostrophe before it; Parquet has the
    texts as they are.

    \b
    python -m training choose texts.parquet --count 100 --output first.csv
    python -m training choose texts.parquet --checkpoint runs/tickets --but-not first.csv --count 100 --output next.csv
    """
    from training.annotation.choose_files import check_coverage, check_unfilled, choose_from, write_chosen
    from training.config.layers import ENCODER
    from training.data.column_names import TEXT, written
    from training.data.files import check_apart

    check_apart(output, [*files, *but_not])
    check_unfilled(output)
    if checkpoint is None:
        check_coverage(files, ENCODER, text_column=text_column)
    chosen = choose_from(
        files,
        checkpoint or ENCODER,
        count,
        but_not=but_not,
        seed=seed,
        text_column=text_column,
        device=device,
    )
    write_chosen(output, chosen, text_column=written(text_column, TEXT))
    click.echo(f"wrote {len(chosen):,} of {chosen.num_texts:,} distinct texts to {output}")
