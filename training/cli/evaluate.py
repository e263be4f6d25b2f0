"""`python -m training evaluate`."""

from pathlib import Path
from typing import Any

import click

from training.cli.options import DEVICE, FILE, LABELS_IN, SHEET, TEXTS_IN, THREADS, judged_label_options
from training.errors import UsageError


@click.command()
@click.argument("checkpoint", type=FILE)
@click.argument("file", type=FILE)
@TEXTS_IN
@LABELS_IN
@SHEET
@click.option(
    "--worst", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="Show the N worst mistakes."
)
@click.option(
    "--neighbours",
    "neighbours_file",
    type=FILE,
    help="The labelled texts that it was trained on: shows the three nearest of them to each of the worst mistakes.",
)
@judged_label_options
@click.option(
    "--own-labels",
    is_flag=True,
    help="Judge among the labels that FILE has: of a file of two labels, which of these two a larger checkpoint gives.",
)
@click.option("--json", "json_file", type=FILE, help="Write all figures to this file, in the form of metrics.json.")
@DEVICE
@THREADS
def evaluate(
    checkpoint: Path,
    file: Path,
    worst: int,
    neighbours_file: Path | None,
    ignore_unknown_labels: bool,
    own_labels: bool,
    json_file: Path | None,
    device: str,
    **reading: Any,
) -> None:
    """Scores CHECKPOINT on the labelled texts of FILE.

    FILE is CSV, TSV, JSON, Parquet, Arrow or a spreadsheet in any common encoding, a pattern, a folder, or - for
    standard input; a line says how it was read.

    Prints accuracy and macro-F1 with 95% intervals, calibration before and after the temperature (ECE in bins of equal
    width and of equally many answers, NLL, Brier), figures of each label, the confusion matrix and the worst mistakes
    with their rows (the first row of data is 1).

    AURC is the area under the risk-coverage curve; "cover at 1%" the share of answers, the surest ones, that can be
    given with at most 1% of them wrong; "acc. at 90%" the accuracy of the surest 90%. --json writes the curve.

    --neighbours reads a file with the same columns as FILE. Near is what has nearly the same vector in front of the
    head; a cosine of 1 is most often the text itself.
    """
    from model.classifier import Classifier
    from training.data.choices import with_choices
    from training.data.files import check_apart
    from training.evaluation.evaluate import evaluate as run_evaluation
    from training.evaluation.evaluate import read_for, read_judged, worst_mistakes
    from training.evaluation.neighbours import nearest_to
    from training.evaluation.report import make_console, print_evaluation, print_mistakes, print_neighbours

    if json_file is not None:
        check_apart(json_file, [file] if neighbours_file is None else [file, neighbours_file])
    classifier = Classifier.load(checkpoint, device=device)
    dataset = read_judged(file, classifier, ignore_unknown_labels=ignore_unknown_labels, **reading)
    if own_labels:
        dataset = with_choices(dataset)
    trained = None  # read before anything is computed: what is wrong with it is told at once
    if neighbours_file is not None:
        if not worst:
            raise UsageError("--neighbours is about the worst mistakes; --worst must be at least 1")
        trained = read_for(neighbours_file, classifier, **reading)
    result = run_evaluation(classifier, dataset)
    console = make_console()
    console.print(f"{checkpoint} (version {classifier.version}) on {file}", markup=False)
    for warning in dataset.warnings:
        console.print(f"warning: {warning}", markup=False)
    print_evaluation(console, result.evaluation)
    if worst and (mistakes := worst_mistakes(result, dataset, classifier, worst)):
        print_mistakes(console, mistakes)
        if trained is not None:
            print_neighbours(console, trained.path, mistakes, nearest_to(checkpoint, mistakes, trained, device))
    if json_file is not None:
        json_file.write_text(result.evaluation.model_dump_json(indent=2) + "\n", encoding="utf-8")
