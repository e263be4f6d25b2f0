"""`python -m training train`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import (
    DEVICE,
    START,
    THREADS,
    UNLABELED,
    data_options,
    limit_threads,
    run_options,
    setting_options,
)
from training.cli.runs import carry_out


@click.command()
@data_options
@UNLABELED
@setting_options
@START
@run_options
@DEVICE
@THREADS
def train(output: Path, device: str, threads: int | None, resume: bool, overwrite: bool, **options: Any) -> None:
    """Trains a classifier on a file of labelled texts.

    Ctrl-C (or SIGTERM) stops after the current step and leaves a state in OUTPUT.run; the command to go on is printed.
    A state is also saved every five minutes.

    \b
    python -m training train --train reviews.csv --output checkpoints/reviews
    python -m training train --recipe sst2 --seed 1 --output checkpoints/sst2
    python -m training train --train few.csv --unlabeled many.csv --set semi.virtual_adversarial=1 --output runs/few
    """
    from training.runs.train import train as run_training

    limit_threads(threads)
    carry_out("train", run_training, output, device, threads, resume=resume, overwrite=overwrite, options=options)
