"""`python -m training label`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DEVICE, FILE, SHARD, TEXT_COLUMN, THREADS


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--teacher", type=FILE, required=True, help="A folder that teach or transformers wrote, or a checkpoint.")
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@click.option("--cache", type=FILE, required=True, help="Folder that keeps the logits as they come; distill reads it.")
@SHARD
@click.option("--max-tokens", type=click.IntRange(min=3), default=128, show_default=True, help="Cut longer texts.")
@TEXT_COLUMN
@DEVICE
@THREADS
def label(files: tuple[Path, ...], teacher: Path, output: Path, max_tokens: int, device: str, **options: Any) -> None:
    """Asks a teacher for its logits of texts.

    The output has the column text and one column for each label of the teacher. A text that the cache knows is not
    labelled again; an interrupted run goes on where it was. `distill --teacher` takes several such files.

    \b
    python -m training label sentences.parquet --teacher teacher --cache logits --output labels.parquet
    """
    from model.device import resolve_device
    from training.evaluation.report import make_console
    from training.teachers.labelling import LabellingLines, write_labels
    from training.teachers.teacher import load_teacher

    console = make_console()
    asked = load_teacher(teacher, max_tokens=max_tokens, device=resolve_device(device))
    written = write_labels(asked, files, output, report=LabellingLines(console), **options)
    console.print(f"wrote the logits of {written:,} texts to {output}", markup=False)
