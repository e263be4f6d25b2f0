"""Pictures of the examples: the option for their folder, and how they are saved."""

from pathlib import Path

import click
from matplotlib.figure import Figure

OUTPUT = click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/examples"),
    show_default=True,
    help="Folder that the results are written to.",
)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Writes the picture `name` into the folder, and prints its path."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / name, dpi=150)
    click.echo(f"{folder / name}")
