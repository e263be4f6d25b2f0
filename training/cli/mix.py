"""`python -m training mix`."""

from pathlib import Path

import click

from training.cli.options import FILE


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--output", type=FILE, required=True, help="The Parquet file to write.")
@click.option("--without", type=FILE, multiple=True, help="A file none of whose texts is to be taken. Repeatable.")
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
def mix(files: tuple[Path, ...], output: Path, without: tuple[Path, ...], text_column: str, label_column: str) -> None:
    """Makes one training file out of several: each text once, and none that a test file holds.

    \b
    python -m training mix a/train.csv b/train.csv --without a/test.csv --without b/test.csv --output mixed.parquet
    """
    from training.data.mix import mix_files

    reports = mix_files(files, output, without=without, text_column=text_column, label_column=label_column)
    for report in reports:
        dropped = f"held out {report.held_out:,}, repeated {report.repeated:,}, contradicted {report.contradicted:,}"
        click.echo(f"{report.path}: kept {report.kept:,}, {dropped}")
