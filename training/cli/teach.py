"""`python -m training teach`."""

from pathlib import Path

import click

from training.cli.options import DEVICE, FILE, THREADS, limit_threads


@click.command()
@click.option("--encoder", type=FILE, required=True, help="A folder that transformers loads; nothing is fetched.")
@click.option("--train", "train_files", type=FILE, multiple=True, required=True, help="Labelled texts. Repeatable.")
@click.option("--validation", type=FILE, required=True, help="Texts that pick the weights.")
@click.option("--text-column", default="text", show_default=True, help="Column of the texts.")
@click.option("--label-column", default="label", show_default=True, help="Column of the labels.")
@click.option("--output", type=FILE, required=True, help="The folder to write, for transformers and for distill.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, for example epochs=3 or batch_rows=32. Repeatable; see training/teachers/fine_tune.py.",
)
@DEVICE
@THREADS
def teach(
    encoder: Path,
    train_files: tuple[Path, ...],
    validation: Path,
    text_column: str,
    label_column: str,
    output: Path,
    settings: tuple[str, ...],
    device: str,
    threads: int | None,
) -> None:
    """Fine-tunes an encoder of Hugging Face into a teacher for distill."""
    from model.device import resolve_device
    from training.data.dataset import read_dataset
    from training.evaluation.report import make_console
    from training.teachers.fine_tune import StepLines, fine_tune, parse_teach_config

    limit_threads(threads)
    config = parse_teach_config(settings)
    datasets = [read_dataset(path, text_column=text_column, label_column=label_column) for path in train_files]
    held_out = read_dataset(validation, text_column=text_column, label_column=label_column)
    console = make_console()
    best = fine_tune(
        encoder, datasets, held_out, output, config, device=resolve_device(device), report=StepLines(console)
    )
    console.print(f"validation accuracy {best:.4f}; wrote {output}", markup=False)
