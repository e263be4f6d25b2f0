"""Makes the picture and the figures that the README shows.

    python -m benchmarks.readme picture                     docs/figures/page.png, from the real page in Chromium
    python -m benchmarks.readme measure DATA [--transformer FOLDER --labels 0,1]
    python -m benchmarks.readme write                       puts the figures into README.md and README.zh.md

`measure` trains TF-IDF with logistic regression and fastText on SST-2's phrases (DATA/sst2), and asks them, the shipped
checkpoint and a transformer about its 1,821 test sentences, in turns, on one core. It writes
benchmarks/results/readme.json; the test scores of other sets come from the checkpoint's own record.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from benchmarks.lib.packed import SHIPPED
from benchmarks.lib.server import running_server

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "figures" / "page.png"
FIGURES = ROOT / "benchmarks" / "results" / "readme.json"
DOCUMENTS = (ROOT / "README.md", ROOT / "README.zh.md")
SHOWN_TEXT = "The plot is thin. But the acting is wonderful, and I would not miss it."
SHOWN_SETS = ("sst2", "imdb", "fdu_mtl_reviews", "chnsenticorp", "online_shopping_10_cats", "douban_book_review")
ROUNDS = 3
MAX_PICTURE_BYTES = 150_000
EXPLAINED = '[data-part="reading"]:not(:empty)'

Answer = Callable[[Sequence[str]], Any]
"""Texts in, a number for each text and label out; the larger wins."""


@click.group(help=__doc__)
def main() -> None:
    """Chooses one of the three steps."""


@main.command()
def picture() -> None:
    """Photographs the page with an explained text."""
    from playwright.sync_api import sync_playwright

    with running_server() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1080, "height": 640}, locale="en-GB", color_scheme="light")
        page.goto(server.url)
        page.wait_for_selector('[data-part="label"]:not(:empty)')
        page.fill("textarea", SHOWN_TEXT)
        page.wait_for_timeout(1_000)
        page.wait_for_selector(EXPLAINED, timeout=60_000)  # the first explanation starts a process
        page.screenshot(path=PICTURE, animations="disabled")
        browser.close()
    size = PICTURE.stat().st_size
    click.echo(f"{PICTURE.relative_to(ROOT)}: {size:,} bytes")
    if size > MAX_PICTURE_BYTES:
        raise click.ClickException(f"more than {MAX_PICTURE_BYTES:,} bytes")


@main.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--transformer", type=click.Path(path_type=Path), help="A fine-tuned sequence classifier's folder.")
@click.option("--labels", default="0,1", show_default=True, help="Its columns for negative and positive.")
def measure(data: Path, transformer: Path | None, labels: str) -> None:
    """Measures accuracy, size and speed of each way to classify SST-2's test sentences."""
    os.environ["OMP_NUM_THREADS"] = "1"
    texts, truth = _read(data / "sst2" / "test.parquet")
    with TemporaryDirectory() as scratch:
        ways: dict[str, tuple[Answer, int]] = {"sluice": _sluice(), "tfidf": _tfidf(data)}
        if (found := _fasttext(data, Path(scratch))) is not None:
            ways["fasttext"] = found
        if transformer is not None:
            ways["transformer"] = _transformer(transformer, [int(label) for label in labels.split(",")])
        figures = _in_turns(ways, texts, truth)
    record = {
        "command": "python -m benchmarks.readme measure DATA" + (" --transformer FOLDER" if transformer else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"one core of {_processor()}, Python {platform.python_version()}",
        "sst2": figures,
    }
    FIGURES.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(record, indent=1))


@main.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if a document is not up to date.")
def write(check: bool) -> None:
    """Puts the figures between the markers of both documents."""
    for document in DOCUMENTS:
        before = document.read_text("utf-8")
        after = filled(before, blocks())
        if check and before != after:
            raise click.ClickException(f"{document.name} is not up to date: python -m benchmarks.readme write")
        document.write_text(after, encoding="utf-8")


def blocks() -> dict[str, str]:
    """Text of each block of figures, by the name in its markers."""
    record = json.loads(FIGURES.read_text("utf-8"))
    found = json.loads((SHIPPED / "metrics.json").read_text("utf-8"))["evaluations"]
    accuracy = " | ".join(f"{100 * found[name]['scores']['accuracy']:.1f}" for name in SHOWN_SETS)
    names = " | ".join(SHOWN_SETS)
    return {
        "accuracy": f"| {names} |\n|{' --- |' * len(SHOWN_SETS)}\n| {accuracy} |",
        "ways": _ways_table(record["sst2"], "| | accuracy, SST-2 | texts/s on one core | size |"),
        "ways-zh": _ways_table(record["sst2"], "| | SST-2 准确率 | 单核每秒文本数 | 大小 |"),
        "measured": f"Measured on {record['date']}, {record['machine']}:\n`{record['command']}`.",
        "measured-zh": f"测于 {record['date']}，{record['machine']}：\n`{record['command']}`。",
    }


def filled(document: str, found: Mapping[str, str]) -> str:
    """The document with each block `<!-- NAME -->…<!-- /NAME -->` filled anew.

    >>> filled("<!-- a -->old<!-- /a -->", {"a": "new"}).splitlines()
    ['<!-- a -->', 'new', '<!-- /a -->']
    """
    for name, text in found.items():
        head, begin, rest = document.partition(f"<!-- {name} -->")
        _, end, tail = rest.partition(f"<!-- /{name} -->")
        if begin and end:
            document = f"{head}{begin}\n{text}\n{end}{tail}"
    return document


def _ways_table(figures: Mapping[str, Mapping[str, float]], heading: str) -> str:
    titles = {
        "sluice": "**Sluice**, the shipped checkpoint",
        "transformer": "MPNet-base, fine-tuned (`transformers`)",
        "tfidf": "TF-IDF and logistic regression",
        "fasttext": "fastText, 2-grams",
    }
    rows = [
        f"| {titles[name]} | {100 * row['accuracy']:.1f} | {row['texts_per_s']:,.0f} | {row['bytes'] / 1e6:,.0f} MB |"
        for name, row in figures.items()
    ]
    return "\n".join([heading, "| --- | ---: | ---: | ---: |", *rows])


def _in_turns(ways: Mapping[str, tuple[Answer, int]], texts: Sequence[str], truth: Any) -> dict[str, dict[str, float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    right = {}
    for _ in range(ROUNDS):
        for name, (answer, _) in ways.items():
            began = time.process_time()
            scores = answer(texts)
            seconds[name].append(time.process_time() - began)
            right[name] = float((np.asarray(scores).argmax(1) == truth).mean())
    return {
        name: {"accuracy": right[name], "texts_per_s": len(texts) / statistics.median(seconds[name]), "bytes": size}
        for name, (_, size) in ways.items()
    }


def _read(path: Path) -> tuple[list[str], Any]:
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pydict()
    return rows["text"], np.array([int(label == "positive") for label in rows["label"]])


def _sluice() -> tuple[Answer, int]:
    from model.classifier import Classifier

    classifier = Classifier.load(SHIPPED, device="cpu", dtype="auto", threads=1)
    order = [classifier.labels.index(label) for label in ("negative", "positive")]
    size = sum(path.stat().st_size for path in SHIPPED.iterdir())
    return lambda texts: np.asarray(classifier.predict(texts))[:, order], size


def _tfidf(data: Path) -> tuple[Answer, int]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from training.experiments.baselines import WORD

    texts, truth = _read(data / "sst2" / "train.parquet")
    validation, expected = _read(data / "sst2" / "validation.parquet")
    options: dict[str, Any] = {"sublinear_tf": True, "ngram_range": (1, 2), "token_pattern": WORD}
    vectorizer = TfidfVectorizer(**options)
    counts = vectorizer.fit_transform(texts)
    fits = [LogisticRegression(C=strength, max_iter=1000).fit(counts, truth) for strength in (1.0, 3.0, 10.0, 30.0)]
    best = max(fits, key=lambda fit: fit.score(vectorizer.transform(validation), expected))
    size = sum(len(word.encode()) + 1 for word in vectorizer.vocabulary_) + 8 * counts.shape[1]
    return lambda texts: best.predict_proba(vectorizer.transform(texts)), size


def _fasttext(data: Path, scratch: Path) -> tuple[Answer, int] | None:
    try:
        import fasttext
    except ModuleNotFoundError:
        click.echo("fastText is left out: pip install fasttext-numpy2", err=True)
        return None
    lines = [f"__label__{label} {text}" for text, label in zip(*_read(data / "sst2" / "train.parquet"), strict=True)]
    (scratch / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    model = fasttext.train_supervised(str(scratch / "train.txt"), lr=0.5, epoch=10, wordNgrams=2, verbose=0, thread=1)
    model.save_model(str(scratch / "model.bin"))

    def answer(texts: Sequence[str]) -> Any:
        found, _ = model.predict(list(texts))
        return np.array([[label[0].endswith("0"), label[0].endswith("1")] for label in found])

    return answer, (scratch / "model.bin").stat().st_size


def _transformer(folder: Path, columns: Sequence[int]) -> tuple[Answer, int]:
    import torch

    from training.teachers.teacher import load_teacher

    torch.set_num_threads(1)
    teacher = load_teacher(folder, max_tokens=128, device=torch.device("cpu"))
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return lambda texts: np.asarray(teacher.logits(texts))[:, list(columns)], size


def _processor() -> str:
    for line in subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout.splitlines():
        if line.startswith("Model name:"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
