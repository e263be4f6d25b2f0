"""`python -m training inspect`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.options import FILE, LABELS_IN, SHEET, TEXTS_IN, WEIGHTS_IN, label_options, table_option

if TYPE_CHECKING:
    from training.data.dataset import Dataset


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@table_option("--validation", help="Validation texts: looked at for leaks and labels that do not fit.")
@table_option("--test", help="Test texts: likewise.")
@TEXTS_IN
@LABELS_IN
@WEIGHTS_IN
@SHEET
@label_options
@click.option(
    "--tokenizer",
    "tokenizer_path",
    type=FILE,
    help="A checkpoint, or a tokenizer.json, whose tokens are counted.  [default: one is learned from the texts]",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    help="Count texts with more tokens.  [default: that of train, tokenizer.max_tokens]",
)
@click.option("--json", "json_file", type=FILE, help="Write the reports to this file, as a list.")
def inspect(
    files: tuple[Path, ...], tokenizer_path: Path | None, max_tokens: int | None, json_file: Path | None, **data: Any
) -> None:
    """Looks for defects in labelled FILES before anything is trained on them; changes nothing.

    Prints an overview of each file (labels, lengths, scripts, languages) and what it finds: copies and near copies,
    contradictions, leaks, labels that are rare or spelled in several ways, words that give a label away, markup, wrong
    encodings, missing and cut texts, personal data (shown masked) and more. Each finding says how many rows it
    concerns, shows some of them, and says what `train` does about it and what you can do. A "problem" should be mended;
    notes are good to know. The warnings below them say how the files were read. `train` prints the same, in short,
    before it trains.

    The exit code is 0 whatever is found, 2 if a file cannot be read.

    \b
    python -m training inspect reviews.csv
    python -m training inspect train.parquet --validation dev.parquet --test test.parquet --json report.json
    """
    from training.data.config import DataConfig
    from training.data.corpus import read_files
    from training.data.files import check_apart
    from training.data.tokenizer import TokenizerConfig, read_tokenizer
    from training.inspection.report import as_json
    from training.inspection.report import inspect as run_inspection
    from training.inspection.text import full_text

    if json_file is not None:
        check_apart(json_file, [*files, *_paths(data["validation"]), *_paths(data["test"])])
    settings = TokenizerConfig() if max_tokens is None else TokenizerConfig(max_tokens=max_tokens)
    given = None if tokenizer_path is None else read_tokenizer(tokenizer_path)
    given_data = {name: _named(value) for name, value in data.items()}
    given_data["merge_labels"] = bool(data["merge_labels"])
    reports = []
    for place, file in enumerate(files):
        config = DataConfig.model_validate({"train": str(file)} | given_data)
        train, held_out = read_files(config)
        report = run_inspection(train, held_out, tokenizer=settings, given=given, languages=True)
        click.echo(("\n" if place else "") + full_text(report))
        click.echo("".join(_warnings(train, held_out)), nl=False)
        reports.append(report)
    if json_file is not None:
        json_file.write_bytes(as_json(reports))


def _warnings(train: "Dataset", held_out: Mapping[str, "Dataset"]) -> Iterator[str]:
    """The lines about how the files were read, which `train` prints too."""
    for role, dataset in {"train": train, **held_out}.items():
        of_file = "" if role == "train" else f"{role}: "
        yield from (f"warning: {of_file}{warning}\n" for warning in dataset.warnings)


def _paths(value: Path | tuple[Path, ...] | None) -> tuple[Path, ...]:
    return (value,) if isinstance(value, Path) else value or ()


def _named(value: Any) -> Any:
    """The names of files, as a configuration holds them; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(map(_named, value))
    return str(value) if isinstance(value, Path) else value
