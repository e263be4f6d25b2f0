"""Compares the engine's answers with those of the same weights in float32: effects of rounding.

    python -m benchmarks.engine.agreement FILE... [--checkpoint checkpoints/sentiment] [--dtype int8] [--texts 25000]

FILEs are labelled texts such as sst2/test.parquet.
"""

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from model.classifier import Classifier, set_num_threads
from training.data.dataset import read_dataset

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sentiment"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), default=SHIPPED, show_default="checkpoints/sentiment")
@click.option("--dtype", type=click.Choice(["int8", "bfloat16"]), default="int8", show_default=True)
@click.option("--texts", type=click.IntRange(min=1), default=25_000, show_default=True, help="Most texts of each file.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def main(files: tuple[Path, ...], checkpoint: Path, dtype: str, texts: int, threads: int) -> None:
    """Prints how many labels change and how far a probability moves."""
    set_num_threads(threads)
    fast, exact = (Classifier.load(checkpoint, device="cpu", dtype=name) for name in (dtype, "float32"))
    table = Table("file", "texts", "labels changed", "%", "probability moved, most", "on average")
    for file in files:
        rows = read_dataset(file, text_column="text", label_column="label").texts[:texts]
        ours, reference = fast.predict(rows), exact.predict(rows)
        changed = ours.argmax(1) != reference.argmax(1)
        moved = np.abs(ours - reference)
        name = f"{file.parent.name}/{file.name}"
        table.add_row(
            name,
            f"{len(rows):,}",
            str(changed.sum()),
            f"{100 * changed.mean():.3f}",
            f"{moved.max():.4f}",
            f"{moved.mean():.5f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
