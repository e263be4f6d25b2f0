"""Trains by the default call on a large file, and measures its time and the peak memory of each of its processes.

    python -m benchmarks.training.scale DATA/ag_news_subset/train.parquet --rows 10000 --tokens 20
    python -m benchmarks.training.scale DATA/ag_news_subset/train.parquet --rows 1000000 --tokens 20 --budget 60m
    python -m benchmarks.training.scale DATA/ag_news_subset/train.parquet --rows 100000 --processes 2

The file is made of real rows: each text is the beginning of one row and the end of another of the same label, about
`--tokens` words in all, so that a million rows are a million different texts of real words. Time and memory are those
of the command as a user starts it, from its start to its end; several processes are those of `torchrun`.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PART = 50_000
"""Rows that are made at once."""


def recombined(rows: pa.Table, count: int, num_words: int, seed: int) -> pa.Table:
    """Texts of the first words of one row and the last words of another with the same label; columns text, label."""
    rng = np.random.default_rng(seed)
    words, labels = [text.split() for text in rows["text"].to_pylist()], np.array(rows["label"].to_pylist())
    places = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    first = rng.integers(len(words), size=count)
    second = [rng.choice(places[labels[row]]) for row in first]
    lengths = rng.integers(num_words // 4, num_words - num_words // 4 + 1, size=count)
    texts = [
        " ".join([*words[a][:length], *words[b][-(num_words - length) :]])
        for a, b, length in zip(first, second, lengths, strict=True)
    ]
    return pa.table({"text": texts, "label": labels[first].tolist()})


def write(source: Path, path: Path, *, count: int, num_words: int) -> None:
    """Writes `count` rows, a part at a time."""
    rows = pq.read_table(source, columns=["text", "label"])
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for part, begin in enumerate(range(0, count, PART)):
            writer.write_table(recombined(rows, min(PART, count - begin), num_words, part).cast(schema))


def launcher(processes: int) -> list[str]:
    """The beginning of the command that runs a module in so many processes."""
    if processes == 1:
        return [sys.executable, "-m"]
    return [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "-m", "--"]


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--rows", default=10_000, show_default=True)
@click.option("--tokens", "num_words", default=20, show_default=True, help="Words of a text.")
@click.option("--budget", default="5m", show_default=True, help="As of train.")
@click.option("--threads", default=2, show_default=True)
@click.option("--processes", default=1, show_default=True, help="Started by torchrun if there are several.")
@click.argument("options", nargs=-1)
def main(
    source: Path, rows: int, num_words: int, budget: str, threads: int, processes: int, options: tuple[str, ...]
) -> None:
    """Prints what the command says, its wall time and the peak memory of each process.

    Further OPTIONS of train stand behind `--`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        write(source, path, count=rows, num_words=num_words)
        call = ["train", "--train", str(path), "--output", f"{folder}/model", "--budget", budget]
        began = time.perf_counter()
        done = subprocess.run(
            [*launcher(processes), "benchmarks.training.peak", "training", *call, "--threads", str(threads), *options]
        )
        seconds = time.perf_counter() - began
    click.echo(
        f"{rows:,} rows of {num_words} words, --budget {budget}, {processes} process(es) of {threads} thread(s): "
        f"exit code {done.returncode}, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
