"""`python -m training reference`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DATA_ROOT, DEVICE, FILE, TEXTS_IN, THREADS


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("files", type=FILE, nargs=-1, required=True)
@TEXTS_IN
@DATA_ROOT
@DEVICE
@THREADS
def reference(checkpoint: Path, files: tuple[Path, ...], **options: Any) -> None:
    """Writes into CHECKPOINT what its answers to the texts of FILES look like.

    A server counts what its own answers look like and tells in the metric sluice_drift how far the two have parted. The
    texts should be like those that the model was trained on, but not among them: the validation file, or a thousand
    texts of production that somebody has looked at. `train` and `distill` do this with their validation texts.

    Kept are counts: of labels, of the highest probability, of tokens, and of the share of tokens that are pieces of a
    character. No text is. Only metrics.json and SHA256SUMS are written again. The version changes, for it is the digest
    of the whole folder; scores do not.

    \b
    python -m training reference runs/reviews validation.csv
    """
    from training.evaluation.reference import add_reference

    made, version = add_reference(checkpoint, files, **options)
    click.echo(f"{checkpoint}: reference of {made.texts:,} texts; the version is now {version}")
    for label, count in made.labels.items():
        click.echo(f"{label:<20} {count / made.texts:.4f}")
