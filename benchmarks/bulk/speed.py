"""Texts a second from Parquet to Parquet, beside the engine alone and other ways to write the same job.

`python -m benchmarks.bulk.speed FILE [--transformer FOLDER] [--train FILE]`, with a table of real texts. Each way works
on the same rows, in turns, on the same cores; a way that is many times slower gets fewer rows. `--rows 10000000 --only`
measures memory.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import pyarrow.parquet as pq

from app.config.machine import available_cpus
from benchmarks.lib.rows import write_rows
from benchmarks.lib.shipped import SHIPPED

ROUNDS = 3
CHUNK = 65_536
"""Texts that the engine alone gets at a time."""

Way = Callable[[], tuple[int, float]]
"""Works once, and returns texts and seconds."""


@click.command(help=__doc__)
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--column", default="text", show_default=True)
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--only", is_flag=True, help="The command alone, and its memory.")
@click.option("--transformer", type=click.Path(path_type=Path), help="Folder of an encoder, for a pipeline.")
@click.option("--train", type=click.Path(path_type=Path), help="Labelled file, for TF-IDF and logistic regression.")
def main(source: Path, column: str, rows: int, only: bool, transformer: Path | None, train: Path | None) -> None:
    """Measures each way in turns and prints medians and ratios."""
    with TemporaryDirectory() as scratch:
        table = Path(scratch) / "in.parquet"
        write_rows(source, column, rows, table)
        if only:
            print(_whole_command(table, Path(scratch) / "out.parquet"))
            return
        ways: dict[str, Way] = {"engine alone": _engine(table), "predict": _predict(table, Path(scratch))}
        if train is not None:
            ways["TF-IDF over pandas"] = _tfidf(table, train, Path(scratch), rows // 5)
        if transformer is not None:
            ways["transformers pipeline"] = _pipeline(table, transformer, 2_000)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                num_texts, seconds = way()
                rates[name].append(num_texts / seconds)
        ours = statistics.median(rates["predict"])
        print(f"{available_cpus()} cores, {rows:,} rows of {source}")
        for name, found in rates.items():
            middle = statistics.median(found)
            spread = f"{min(found):,.0f} to {max(found):,.0f}"
            print(f"{name:22} {middle:10,.0f} texts/s ({spread}); predict is {ours / middle:.2f} times as fast")


def _engine(table: Path) -> Way:
    """The classifier over texts in memory: tokenises and computes, on all cores."""
    from model.classifier import Classifier

    classifier = Classifier.load(SHIPPED, dtype="auto", threads=available_cpus())
    texts: list[str] = pq.read_table(table, columns=["text"]).column("text").to_pylist()

    def work() -> tuple[int, float]:
        began = time.perf_counter()
        for start in range(0, len(texts), CHUNK):
            classifier.predict(texts[start : start + CHUNK])
        return len(texts), time.perf_counter() - began

    return work


def _predict(table: Path, scratch: Path) -> Way:
    """The job of the command, without its start."""
    from app.bulk.run import Call, predict
    from model.classifier import Classifier

    classifier = Classifier.load(SHIPPED, dtype="auto", threads=1)

    def work() -> tuple[int, float]:
        began = time.perf_counter()
        call = Call([table], str(scratch / "out.parquet"), overwrite=True)
        outcome = predict(classifier, call, threads=available_cpus())
        return outcome.counts.rows, time.perf_counter() - began

    return work


def _whole_command(table: Path, output: Path) -> str:
    """Runs the command in a process of its own, and tells its time and its peak memory."""
    command = [sys.executable, "-m", "app", "predict", str(SHIPPED), str(table), "--output", str(output)]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"{pq.read_metadata(output).num_rows:,} rows in {seconds:.0f} s with its start; peak memory {peak:,.0f} MB"


def _tfidf(table: Path, train: Path, scratch: Path, rows: int) -> Way:
    """Reads with pandas, scores with scikit-learn, writes with pandas."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labelled = pd.read_parquet(train)
    model: Any = make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(max_iter=500))
    model.fit(labelled["text"], labelled["label"])
    pd.read_parquet(table).head(rows).to_parquet(scratch / "fewer.parquet")

    def work() -> tuple[int, float]:
        began = time.perf_counter()
        frame = pd.read_parquet(scratch / "fewer.parquet")
        scores = model.predict_proba(frame["text"])
        frame = frame.assign(label=model.classes_[scores.argmax(axis=1)], score=scores.max(axis=1))
        frame.to_parquet(scratch / "tfidf.parquet")
        return len(frame), time.perf_counter() - began

    return work


def _pipeline(table: Path, folder: Path, rows: int) -> Way:
    """A pipeline of `transformers` with a classifier on an encoder; what its head answers does not change its cost."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    torch.set_num_threads(available_cpus())
    network = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    classify = pipeline("text-classification", model=network, tokenizer=AutoTokenizer.from_pretrained(folder))
    texts = pq.read_table(table, columns=["text"]).column("text").to_pylist()[:rows]

    def work() -> tuple[int, float]:
        began = time.perf_counter()
        answers = classify(texts, batch_size=64, truncation=True)
        return len(answers), time.perf_counter() - began

    return work


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    main()
