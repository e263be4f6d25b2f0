"""`python -m training agreement`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import FILE, TEXTS_IN

if TYPE_CHECKING:
    from training.metrics.agreement import Agreement

CORNER = "person \\ model"
MAX_CONFUSION = 20
"""A table of more labels is not printed."""


@click.command()
@click.argument("labels", type=FILE)
@click.argument("review", type=FILE)
@TEXTS_IN
def agreement(labels: Path, review: Path, text_column: str | None) -> None:
    """Compares the labels of a language model with those of a person.

    LABELS is what `label` wrote, REVIEW the sample of its --review with the person's labels; rows without one are
    left out. Prints the share of equal labels with its 95% interval (Wilson's), Cohen's kappa (1 is full agreement, 0
    what chance would give), the same share for each label of the model, and who said what.

    \b
    python -m training agreement labels.parquet labels.review.csv
    """
    from training.annotation.review import known_labels, read_pairs
    from training.metrics.agreement import agreement as agree

    pairs = read_pairs(labels, review, text_column=text_column)
    found = agree(pairs)
    for strange in sorted({person for person, _ in pairs} - known_labels(labels)):
        click.echo(f"warning: '{strange}' is no label that the model gave")
    low, high = found.interval
    click.echo(f"agreement {found.num_agreed} of {found.total}: {found.share:.1%} [{low:.1%}, {high:.1%}]")
    click.echo(f"Cohen's kappa {'none, with one label only' if found.kappa is None else f'{found.kappa:.3f}'}")
    for one in found.by_label():
        low, high = one.interval
        click.echo(f"{one.label}: the person says so, too, of {one.num_agreed} of {one.total} [{low:.1%}, {high:.1%}]")
    if len(found.labels) <= MAX_CONFUSION:
        _print_confusion(found)


def _print_confusion(found: "Agreement") -> None:
    """Prints the person's labels as rows and the model's as columns."""
    width = max(len(str(found.total)), *map(len, found.labels))
    first = max(len(CORNER), width)
    rows = [(CORNER, *found.labels)]
    rows += [(label, *map(str, counts)) for label, counts in zip(found.labels, found.confusion, strict=True)]
    for name, *cells in rows:
        click.echo("  ".join([f"{name:<{first}}", *(f"{cell:>{width}}" for cell in cells)]))
