"""Measures the page on a file of 100,000 rows: seconds, longest stall, and correctness of every row.

    python -m benchmarks.http.page_rows [--rows 100000]

Needs `chromium` on the path. Gives a CSV file of 2,048 sentences over and over to the page of a server with the shipped
checkpoint, scores it, downloads the result and compares each row with what `POST /predict` says of its text. Prints the
seconds of reading, scoring and downloading, the longest time for which the page answered nobody, and the most memory
of its heap. Fails if a row is missing, out of place or wrong.
"""

import csv
import io
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import httpx
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.lib.server import running_server
from benchmarks.lib.texts import sentences

NUM_TEXTS = 2048
TOLERANCE = 0.02
PATIENCE_MS = 600_000

WATCH = """() => {
  window.longest = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - last);
    last = now;
  }, 10);
}"""


def file_of(rows: int, texts: Sequence[str]) -> str:
    """A CSV file with a number and a text in each row."""
    output = io.StringIO(newline="")
    csv.writer(output).writerows([("id", "text"), *((n, texts[n % len(texts)]) for n in range(rows))])
    return output.getvalue()


def ask_alone(url: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Predictions of `/predict` for each text."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(texts), 512):
        body = {"inputs": list(texts[start : start + 512])}
        found += httpx.post(f"{url}/predict", json=body, timeout=60).raise_for_status().json()["predictions"]
    return found


def count_wrong(content: str, rows: int, texts: Sequence[str], expected: Sequence[dict[str, Any]]) -> int:
    """Rows of the download that are not the file's, or have another score."""
    found = list(csv.DictReader(io.StringIO(content, newline="")))
    wrong = abs(len(found) - rows)
    for n, row in enumerate(found):
        entry = expected[n % len(texts)]
        scores = {score["label"]: score["score"] for score in entry["scores"]}
        near = all(
            abs(float(row[f"probability_{label}"] or -1) - score) <= TOLERANCE for label, score in scores.items()
        )
        wrong += not (row["id"] == str(n) and row["text"] == texts[n % len(texts)] and near)
    return wrong


def measure(page: Page, path: Path, rows: int) -> tuple[dict[str, float], str]:
    """Seconds of each step, and the downloaded file."""
    seconds: dict[str, float] = {}
    started = time.monotonic()
    page.locator("#file-input").set_input_files(path)
    expect(page.locator("#file-state")).to_contain_text(f"{rows:,} rows", timeout=PATIENCE_MS)
    seconds["read"] = time.monotonic() - started
    started = time.monotonic()
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("rows in", timeout=PATIENCE_MS)
    seconds["score"] = time.monotonic() - started
    started = time.monotonic()
    with page.expect_download(timeout=PATIENCE_MS) as waiting:
        page.click("#file-download")
    content = Path(waiting.value.path()).read_text("utf-8")
    seconds["download"] = time.monotonic() - started
    return seconds, content


@click.command(help=(__doc__ or "").split("\n\n", maxsplit=1)[0])
@click.option("--rows", type=click.IntRange(1), default=100_000, show_default=True)
def main(rows: int) -> None:
    """Runs the measurement from the command line."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise click.ClickException("There is no chromium: apt-get install chromium.")
    texts = sentences(NUM_TEXTS, random.Random(0))
    with TemporaryDirectory() as folder, running_server() as server, sync_playwright() as playwright:
        expected = ask_alone(server.url, texts)
        path = Path(folder) / "rows.csv"
        path.write_text(file_of(rows, texts), "utf-8", newline="")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(locale="en-GB")
        page.goto(f"{server.url}/#file", wait_until="networkidle")
        page.evaluate(WATCH)
        page.wait_for_selector("#health.ready")
        seconds, content = measure(page, path, rows)
        longest_ms = page.evaluate("() => window.longest")
        heap = page.evaluate("() => performance.memory.usedJSHeapSize") / 1e6
        done = page.locator("#file-done").inner_text()
        browser.close()
    wrong = count_wrong(content, rows, texts, expected)
    steps = ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items())
    click.echo(f"{rows} rows: {steps}; {done}")
    click.echo(f"{rows / seconds['score']:.0f} rows/s; the page slept {longest_ms:.0f} ms at most; heap {heap:.0f} MB")
    if wrong:
        raise click.ClickException(f"{wrong} rows are wrong")


if __name__ == "__main__":
    main()
