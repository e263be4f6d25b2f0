"""Trains by the default call on a large file, and measures its time and its peak memory.

    python -m benchmarks.training.scale DATA/ag_news_subset/train.parquet --rows 10000 --tokens 20
    python -m benchmarks.training.scale DATA/ag_news_subset/train.parquet --rows 1000000 --tokens 20 --budget 60m

The file is made of real rows: each text is the beginning of one row and the end of another of the same label, about
`--tokens` words in all, so that a million rows are a million different texts of real words. Time and memory are those
of the command as a user starts it, in a process of its own, from its start to its end.
"""

import os
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


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--rows", default=10_000, show_default=True)
@click.option("--tokens", "num_words", default=20, show_default=True, help="Words of a text.")
@click.option("--budget", default="5m", show_default=True, help="As of train.")
@click.option("--threads", default=2, show_default=True)
def main(source: Path, rows: int, num_words: int, budget: str, threads: int) -> None:
    """Prints what the command says, its wall time and its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        write(source, path, count=rows, num_words=num_words)
        command = [sys.executable, "-m", "training", "train", "--train", str(path), "--output", f"{folder}/model"]
        began = time.perf_counter()
        process = subprocess.Popen([*command, "--budget", budget, "--threads", str(threads)])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    click.echo(
        f"{rows:,} rows of {num_words} words, --budget {budget}, {threads} threads: exit code "
        f"{os.waitstatus_to_exitcode(status)}, {seconds:.0f} s, {usage.ru_maxrss / 2**20:.2f} GiB at the peak, "
        f"{usage.ru_utime + usage.ru_stime:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
