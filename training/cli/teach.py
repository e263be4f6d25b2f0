"""`python -m training teach`."""

from pathlib import Path

import click

from training.cli.options import DEVICE, FILE, LABELS_IN, TEXTS_IN, THREADS, label_options

LOST = "probabilities are not learned, but the most probable labels alone; train and distill learn from them"


@click.command()
@click.option("--encoder", type=FILE, required=True, help="A folder that transformers loads; nothing is fetched.")
@click.option("--train", "train_files", type=FILE, multiple=True, required=True, help="Labelled texts. Repeatable.")
@click.option(
    "--validation", type=FILE, multiple=True, required=True, help="Labelled texts that pick the weights. Repeatable."
)
@TEXTS_IN
@LABELS_IN
@label_options
@click.option(
    "--source-column",
    help="Column of the training files that names each text's data set, as mix writes it.  [default: a file is a set]",
)
@click.option("--output", type=FILE, required=True, help="The folder to write, for distill and label.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One setting, for example epochs=3. Repeatable. There are epochs, learning_rate, warmup, weight_decay, "
    "batch_rows, batch_tokens, max_tokens, clip_norm, validations_per_epoch, freeze_embedding, prefix, layers, seed.",
)
@DEVICE
@THREADS
def teach(
    encoder: Path,
    train_files: tuple[Path, ...],
    validation: tuple[Path, ...],
    text_column: str | None,
    label_column: str | None,
    keep_labels: tuple[str, ...],
    label_separator: str | None,
    merge_labels: bool | None,
    source_column: str | None,
    output: Path,
    settings: tuple[str, ...],
    device: str,
) -> None:
    """Fine-tunes an encoder of Hugging Face into a teacher for distill.

    The labels of all training files together are the teacher's. A data set is a choice among the labels that it has:
    one of two labels says nothing about a third. The weights kept are those with the best mean validation accuracy.

    \b
    python -m training teach --encoder mpnet --train mixed.parquet --source-column source \\
        --validation sst2.parquet --validation tweets.parquet --output teacher --set epochs=3
    """
    from model.device import resolve_device
    from tables.labels import LabelRules
    from training.data.choices import with_choices
    from training.data.dataset import read_dataset
    from training.evaluation.report import make_console
    from training.teachers.fine_tune import StepLines, fine_tune, parse_teach_config

    config = parse_teach_config(settings)
    rules = LabelRules.named(keep_labels, label_separator, merge_labels)
    read = []
    for path in (*train_files, *validation):
        read.append(read_dataset(path, text_column=text_column, label_column=label_column, rules=rules))
        rules = rules.after(read[-1].counts())
    train = [with_choices(dataset, source_column) for dataset in read[: len(train_files)]]
    held_out = [with_choices(dataset) for dataset in read[len(train_files) :]]
    console = make_console()
    soft = {part.path for part in train if part.shares is not None}
    for path, warnings in {part.path: part.warnings for part in [*train, *held_out]}.items():
        for warning in [*warnings, *([LOST] if path in soft else [])]:
            console.print(f"warning: {path}: {warning}", markup=False)
    best = fine_tune(encoder, train, held_out, output, config, device=resolve_device(device), report=StepLines(console))
    console.print(f"validation accuracy {best:.4f}; wrote {output}", markup=False)
