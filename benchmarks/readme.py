"""Makes what the documents show of the shipped checkpoint: answers, figures, drawings and the picture of the page.

    python -m benchmarks.readme write [--check]             answers and figures in documents and OpenAPI examples
    python -m benchmarks.readme picture                     docs/figures/page.png, from the real page in Chromium
    python -m benchmarks.readme measure DATA [--transformer FOLDER --labels 0,1] [--only]

`write` starts the server and asks it everything that a document shows below a `curl` and the OpenAPI examples ask,
fills the blocks of both READMEs and of docs/lstm.md in both languages, and draws the gates anew. Run it after every
change of the checkpoint, and read the diff: the sentences around an answer are yours.

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
import httpx
import numpy as np
from matplotlib.figure import Figure

from benchmarks.lib.server import running_server
from benchmarks.lib.shipped import SHIPPED
from benchmarks.shown import lstm
from benchmarks.shown.answers import Ask, renewed_document, renewed_examples, renewed_explanations
from benchmarks.shown.readme import FIGURES, blocks
from benchmarks.shown.text import alike, filled
from examples.figures import draw_gates, draw_parameters, save
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "figures" / "page.png"
DOCUMENTS = {
    "README.md": "en",
    "README.zh.md": "zh",
    "docs/using.md": "en",
    "docs/lstm.md": "en",
    "docs/lstm.zh.md": "zh",
}
"""Documents that show something of the shipped checkpoint, with their language."""

EXAMPLES = {"app/api/examples.json": renewed_examples, "app/explain/examples.json": renewed_explanations}
DRAWN = {"gates": draw_gates, "parameters": draw_parameters}
"""Figures that depend on the shipped checkpoint."""

SHOWN_TEXT = "The plot is thin. The film runs for two hours. But the acting is wonderful, and I would not miss it."
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
        page = browser.new_page(viewport={"width": 1080, "height": 810}, locale="en-GB", color_scheme="light")
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
@click.option("--only", is_flag=True, help="Measure the shipped checkpoint alone; the other figures stay.")
def measure(data: Path, transformer: Path | None, labels: str, only: bool) -> None:
    """Measures accuracy, size and speed of each way to classify SST-2's test sentences.

    The figures of one table must come from one kind of machine: --only refuses another one.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    texts, truth = _read(data / "sst2" / "test.parquet")
    with TemporaryDirectory() as scratch:
        ways: dict[str, tuple[Answer, int]] = {"sluice": _sluice()}
        if not only:
            ways["tfidf"] = _tfidf(data)
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
    if only:
        before = json.loads(FIGURES.read_text("utf-8"))
        if before["machine"] != record["machine"]:
            raise click.ClickException(f"the other figures are of {before['machine']}, not {record['machine']}")
        record |= {"command": before["command"], "sst2": before["sst2"] | figures}
    FIGURES.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(record, indent=1))


@main.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if something is not up to date.")
def write(check: bool) -> None:
    """Renews answers and figures of the shipped checkpoint wherever they are shown."""
    with running_server() as server, httpx.Client(base_url=server.url, timeout=120) as client:
        found = renewed(lambda path, body: _post(client, path, body))
    stale = [name for name, text in found.items() if text != (ROOT / name).read_text("utf-8")]
    if check:
        if stale:
            raise click.ClickException(f"not up to date: {', '.join(stale)}: python -m benchmarks.readme write")
        return
    for name in stale:
        (ROOT / name).write_text(found[name], encoding="utf-8")
        click.echo(name)
    for name, draw in DRAWN.items():
        _draw(draw, ROOT / "docs" / "figures" / f"{name}.svg")


def renewed(ask: Ask) -> dict[str, str]:
    """The documents and examples as they should be, by name; `ask` reaches a server with the shipped checkpoint."""
    checkpoint = load_checkpoint(SHIPPED)
    found = {}
    for name, language in DOCUMENTS.items():
        document = renewed_document((ROOT / name).read_text("utf-8"), ask)
        document = filled(document, blocks(checkpoint, language))
        found[name] = filled(document, lstm.blocks(checkpoint, language), lstm.TOLERANCE)
    for name, renew in EXAMPLES.items():
        found[name] = renew((ROOT / name).read_text("utf-8"), ask)
    return found


def _draw(draw: Callable[[], Figure], path: Path) -> None:
    """Saves a figure unless what is there differs by a hundredth of a point at most."""
    with TemporaryDirectory() as scratch:
        fresh = Path(scratch) / path.name
        save(draw(), fresh)
        if not (path.is_file() and alike(fresh.read_text("utf-8"), path.read_text("utf-8"), 0.01)):
            shutil.copy(fresh, path)
            click.echo(path.relative_to(ROOT))


def _post(client: httpx.Client, path: str, body: str) -> tuple[int, str]:
    answer = client.post(path, content=body.encode())
    return answer.status_code, answer.text


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

    from training.linear.tfidf import WORD

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
    """The processor's name and, as clouds sell several generations under one name, its family and model."""
    listed = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout.splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in listed)}
    kind = ", ".join(
        f"{word} {facts[key]}" for word, key in (("family", "CPU family"), ("model", "Model")) if key in facts
    )
    name = facts.get("Model name") or platform.processor()
    return f"{name} ({kind})" if kind else name


if __name__ == "__main__":
    sys.exit(main())
