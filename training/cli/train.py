"""`python -m training train`."""

from typing import Any

import click

from training.cli.options import (
    LOG,
    MASK_PERSONAL,
    REPORT,
    SLICE_COLUMN,
    UNLABELED,
    Duration,
    data_options,
    run_options,
    setting_options,
    start_option,
)
from training.cli.runs import train_classifier


@click.command()
@data_options
@UNLABELED
@MASK_PERSONAL
@setting_options
@start_option("the shipped encoder if the texts are English or Chinese and no recipe or file says how to train")
@click.option(
    "--drop-old-labels",
    is_flag=True,
    default=None,
    help="Give up the labels of a checkpoint given as --start that the texts lack. Without it the new model knows the "
    "old labels and those of the texts, and stays near its old answers.",
)
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    help="Time that the run may take, about: 90s, 5m, 1h. It sets the number of passes and of folds.  [default: 5m; "
    "with --recipe, --config or loop.epochs as long as these say]",
)
@SLICE_COLUMN
@REPORT
@LOG
@run_options
def train(**options: Any) -> None:
    """Trains a classifier on a file of labelled texts.

    Beside the checkpoint a page, OUTPUT.report.html, shows how good it is, where it fails, and labels in doubt.

    Findings about the data are printed first, with what is done about each; `inspect` shows them with examples.

    Ctrl-C (or SIGTERM) stops after the current step and leaves a state in OUTPUT.run; the command to go on is printed.
    A state is also saved every five minutes.

    \b
    python -m training train --train reviews.csv --output checkpoints/reviews
    python -m training train --recipe sst2 --seed 1 --output checkpoints/sst2
    python -m training train --start checkpoints/reviews --train new.csv --train some-old.csv --output checkpoints/v2
    python -m training train --train few.csv --unlabeled many.csv --set semi.virtual_adversarial=1 --output runs/few
    """
    from training.runs.train import train as run_training

    train_classifier(run_training, "train", options | {"adapt": True})
