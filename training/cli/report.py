"""`python -m training report`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DEVICE, FILE, LABELS_IN, SHEET, SLICE_COLUMN, TEXTS_IN, THREADS, judged_label_options


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("file", type=FILE)
@click.option(
    "--train",
    "train_file",
    type=FILE,
    help="The labelled texts that it was trained on: adds the comparison with logistic regression, which a tenth of "
    "them tunes, and labels that may be wrong.",
)
@click.option(
    "--output",
    type=FILE,
    help="The page; the JSON file beside it.  [default: CHECKPOINT.NAME.report.html, NAME that of FILE]",
)
@TEXTS_IN
@LABELS_IN
@SHEET
@judged_label_options
@SLICE_COLUMN
@DEVICE
@THREADS
def report(
    checkpoint: Path,
    file: Path,
    train_file: Path | None,
    output: Path | None,
    slice_columns: tuple[str, ...],
    device: str,
    **reading: Any,
) -> None:
    """Writes the report of `train` about CHECKPOINT, measured on the labelled texts of FILE.

    FILE is what evaluate takes. The page shows the worst errors with their texts; it loads nothing and needs no server.
    The JSON file beside it has the same figures.

    \b
    python -m training report runs/reviews holdout.csv
    python -m training report runs/reviews holdout.csv --train reviews.csv --slice-column shop
    """
    from model.classifier import Classifier
    from training.data.files import check_apart
    from training.data.split import split
    from training.evaluation.evaluate import read_judged
    from training.evaluation.report import make_console
    from training.reporting.build import Material, report_paths, write_report

    page, json_file = report_paths(checkpoint, file.stem) if output is None else (output, output.with_suffix(".json"))
    for written in (page, json_file):
        check_apart(written, [file] if train_file is None else [file, train_file])
    classifier = Classifier.load(checkpoint, device=device)
    dataset = read_judged(file, classifier, **reading)
    learned, stopping, warnings = None, None, [f"{file.name}: {warning}" for warning in dataset.warnings]
    if train_file is not None:
        whole = read_judged(train_file, classifier, **reading)
        warnings += [f"{train_file.name}: {warning}" for warning in whole.warnings]
        learned, stopping = split(whole, fraction=0.1, seed=0)
    console = make_console()
    for warning in warnings:
        console.print(f"warning: {warning}", markup=False)
    material = Material(
        checkpoint=checkpoint,
        held_out={"held out": dataset},
        shown=frozenset({"held out"}),
        train=learned,
        stopping=stopping,
        slice_columns=slice_columns,
        device=device,
        warnings=tuple(warnings),
    )
    write_report(material, page, json_file)
    console.print(f"wrote {page} and {json_file}", markup=False)
