"""examples/onnx-web in a real browser: an exported checkpoint answers there as it does here."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from model.checkpoint import save_checkpoint
from model.classifier import Classifier
from model.export.folder import export_onnx
from tests.app.process.test_server import ROOT
from tests.model.export.test_network import made
from tests.page.conftest import SHIPPED, TIMEOUT_MS, Visit

EXAMPLE = ROOT / "examples" / "onnx-web"
MODULES = ROOT / "build" / "clients" / "node_modules"
"""What `make clients` fetched."""

TEXTS = [
    "I don't  miss it!!!!! sooooo GOOD… 10/10",
    "很好看的电影，推荐！ but the end was 难看",
    "x",
    " \n ",
    "ｆｕｌｌ ｗｉｄｔｈ ﬁ ½ ① 👨‍👩‍👧 😀😀😀😀 नमस्ते مرحبا سلام‌ها a\u200bb\u00adc\ufeff",
    "日本語テキスト 한국어 Кириллица 𠀀𠀁 é e\u0301 " + "a" * 200,
    "bad film. " * 2000 + "good " * 400,
]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    def log_message(self, *_: Any) -> None:
        """Drops the line."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The example as docs/using.md says how to serve it, with two models; its folder has the second's checkpoint."""
    if not (MODULES / "onnxruntime-web").is_dir():
        pytest.skip("no onnxruntime-web here: `make clients`")
    folder = tmp_path_factory.mktemp("onnx-web")
    for path in (MODULES, *EXAMPLE.iterdir()):
        (folder / path.name).symlink_to(path)
    export_onnx(SHIPPED, folder / "model")
    save_checkpoint(folder / "checkpoint", made({}, task="multi_label", thresholds=(0.05, 0.95, 0.5)))
    export_onnx(folder / "checkpoint", folder / "several")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


@pytest.fixture
def visit(browser: Browser, site: tuple[str, Path]) -> Iterator[Visit]:
    """A window that may ask this site alone and must run into nothing."""
    context = browser.new_context(viewport={"width": 800, "height": 600})
    context.set_default_timeout(TIMEOUT_MS)
    found = Visit(context.new_page(), site[0])
    found.watch()
    yield found
    context.close()
    assert not found.messages
    assert not found.foreign


def test_the_browser_answers_as_pytorch_does(visit: Visit) -> None:
    classifier = Classifier.load(SHIPPED, device="cpu", dtype="float32")
    page = visit.open(wait="#scores li")
    for text, expected in zip(TEXTS, classifier.predict(TEXTS), strict=True):
        page.fill("#text", text)
        tokens = classifier.encode([text])[0].num_tokens
        expect(page.locator("#answer")).to_contain_text(f"({tokens} tokens")
        expect(page.locator("#answer")).to_contain_text(classifier.labels[int(expected.argmax())])
        shown = page.locator("#scores output").evaluate_all("all => all.map(one => Number(one.dataset.value))")
        np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-5)
    page.fill("#text", "A good and charming film.")
    expect(page.locator("#answer")).to_contain_text("positive")
    visit.shoot("onnx-web")
    visit.check_access()


def test_labels_of_a_multi_label_model_reach_their_thresholds(visit: Visit, site: tuple[str, Path]) -> None:
    classifier = Classifier.load(site[1] / "checkpoint", device="cpu", dtype="float32")
    page = visit.open("/?model=several", wait="#scores li")
    given = set()
    for text in ("a good and charming film", "a bad and boring film", "很好看的电影", "难看的电影", "10/10 😀", ""):
        page.fill("#text", text)
        (expected,) = classifier.predict([text])
        labels = [
            label
            for label, probability, threshold in zip(classifier.labels, expected, (0.05, 0.95, 0.5), strict=True)
            if probability >= threshold
        ]
        tokens = classifier.encode([text])[0].num_tokens
        expect(page.locator("#answer")).to_contain_text(f"{', '.join(labels) or 'no label'} ({tokens} tokens")
        given.add(tuple(labels))
    assert len(given) > 1


def test_a_model_that_is_not_there_is_told(visit: Visit) -> None:
    visit.expected.append("404")
    page = visit.open("/?model=none", wait="#answer")
    expect(page.locator("#answer")).to_contain_text("404. Has the checkpoint been exported there?")


def test_the_versions_are_those_that_the_tests_run() -> None:
    fetched: dict[str, str] = json.loads((ROOT / "tests" / "clients" / "package.json").read_text("utf-8"))[
        "dependencies"
    ]
    asked: dict[str, str] = json.loads((EXAMPLE / "package.json").read_text("utf-8"))["dependencies"]
    assert asked.items() <= fetched.items()
