"""`python -m training precision`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DEVICE, FILE, LABELS_IN, TEXTS_IN, THREADS, judged_label_options


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("file", type=FILE)
@TEXTS_IN
@LABELS_IN
@judged_label_options
@DEVICE
@THREADS
def precision(checkpoint: Path, file: Path, **options: Any) -> None:
    """Writes into CHECKPOINT from which probability its answers are right in 90, 95 and 99% of cases.

    A request may then set `min_precision`, and texts of which the model is less sure get no label. `train` and
    `distill` do this with validation texts: of a thousand or more with a half that had no part in choosing the weights,
    of folds with the answers of networks that had not seen the text. Fewer texts choose the weights too, and thresholds
    hold less often than they promise; the card says so.

    FILE has labelled texts like those to come that chose nothing, a thousand at least: 99% needs several hundred
    answers almost all of which are right. A threshold is written only if it holds for further texts with a chance of
    95%; otherwise the share is noted as not reached.

    Only config.json, the card and SHA256SUMS are written again. The version changes, for it is the digest of the
    whole folder; scores do not.

    \b
    python -m training precision runs/reviews validation.csv
    """
    from training.evaluation.precision import add_thresholds, shown

    found, version, warnings = add_thresholds(checkpoint, file, **options)
    for warning in warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{checkpoint}: the version is now {version}")
    click.echo("right in  probability  answered")
    for each in found:
        click.echo(f"{each.precision:>8.0%}  {shown(each.threshold):>11}  {each.coverage:>8.1%}")
