"""`python -m training distill`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import (
    FILE,
    LOG,
    REPORT,
    SLICE_COLUMN,
    data_options,
    run_options,
    setting_options,
    start_option,
)
from training.cli.runs import train_classifier


@click.command()
@click.option(
    "--teacher",
    "teachers",
    type=FILE,
    multiple=True,
    help="A folder that transformers loads as a sequence classifier, a checkpoint, or a Parquet file that label wrote, "
    "whose texts are added to those of --unlabeled. Repeatable; the mean of those that know a text counts.",
)
@data_options
@click.option(
    "--unlabeled", type=FILE, multiple=True, help="Texts without labels, for the teacher to label. Repeatable."
)
@click.option(
    "--label-map",
    multiple=True,
    metavar="OURS=TEACHERS",
    help="The teacher's name for one of our labels, where they differ; LABEL_1, say. Repeatable; of several names for "
    "one label the probabilities are added.",
)
@click.option(
    "--vectors",
    metavar="SOURCE",
    type=lambda given: given if given in ("teacher", "none") else Path(given),
    help="Where the embedding starts: teacher (its own input vectors), none, a file of vectors (GloVe, word2vec or "
    "fastText, as text) or a model's folder.  [default: teacher]",
)
@click.option(
    "--cache", type=FILE, help="Folder that keeps the teacher's logits, for further students.  [default: none is kept]"
)
@setting_options
@start_option("none")
@SLICE_COLUMN
@REPORT
@LOG
@run_options
def distill(**options: Any) -> None:
    """Trains a classifier to answer as a larger one does.

    The teacher labels the training texts, the unlabelled ones and variants of them; the student is trained towards its
    logits. Everything else is as with train: settings, checkpoint, Ctrl-C and --resume.

    \b
    python -m training teach --encoder minilm --train reviews.csv --validation dev.csv --output teacher
    python -m training distill --teacher teacher --train reviews.csv --validation dev.csv --output checkpoints/student
    """
    from training.runs.distill import distill as run_distillation

    train_classifier(run_distillation, "distill", options)
