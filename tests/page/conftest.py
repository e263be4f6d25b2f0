"""A real headless Chromium and a real server with the shipped checkpoint.

Every test of a page also asserts that the browser ran into nothing: no violation of a policy, no error in its console,
no request to another host.
"""

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect, sync_playwright

from tests.app.process.test_server import ROOT, process, wait_ready
from tests.page.explaining import explanation

AXE = ROOT / "build" / "clients" / "node_modules" / "axe-core" / "axe.min.js"
"""What `make clients` fetched: the rules by which accessibility is judged."""

SCREENSHOTS = ROOT / "build" / "screenshots"
SHIPPED = ROOT / "checkpoints" / "sentiment"
HOST = "sluice.test"
"""A name that only this browser knows, for the server here; unlike on localhost, no rule of browsers is relaxed."""

TIMEOUT_MS = 20_000

DRIVEN: set[tuple[str, str]] = set()
"""Of every event of a person's in any window: the test's module and the element's id, part, view or value."""

NOTE_EVENTS = """
for (const type of ["click", "change", "input"]) {
  document.addEventListener(type, ({ target }) => {
    const node = target.closest?.("button, a, select, input, textarea");
    if (node) window.noteDriven(node.id || node.dataset.part || node.dataset.view || node.value || "");
  }, true);
}
"""


@pytest.fixture(scope="session")
def address(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a ready server with two models, `sentiment` and `tiny`."""
    log = tmp_path_factory.mktemp("page") / "log"
    with process(log, "--model", f"sentiment={SHIPPED}", "--model", f"tiny={tiny_checkpoint}") as (_, url):
        wait_ready(url)
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not longer than a module: as long as it runs, its event loop holds this thread, and others could have none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here: `apt-get install chromium`")
    arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {HOST} 127.0.0.1", "--disable-dev-shm-usage"]
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A browser's window and what it ran into.

    Attributes:
        expected: parts of messages in its console that a test wants.
        bodies: what was posted to /explain.
        statuses: answers of /explain in place of explanations, one after the other: status and headers.
    """

    page: Page
    url: str
    expected: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def watch(self) -> None:
        """Notes what the window runs into."""
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.messages.append(f"pageerror: {error}"))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in self.expected):
            self.messages.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(request.url)

    def explain(self, route: Route) -> None:
        """Stands in for /explain."""
        self.bodies.append(json.loads(route.request.post_data or "null"))
        status, headers = self.statuses.pop(0) if self.statuses else (200, {})
        if status == 200:
            route.fulfill(json=explanation(self.bodies[-1]))
        else:
            problem = {"title": "No", "status": status, "detail": f"refused with {status}", "error_type": "refused"}
            route.fulfill(status=status, headers=headers, json=problem)

    def open(self, path: str = "/", *, wait: str = '[data-part="label"]:not(:empty)') -> Page:
        """Goes there and waits for an element."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector(wait)
        return self.page

    def shoot(self, name: str) -> None:
        """Writes build/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")

    def check_access(self) -> None:
        """Asserts that axe, where it is installed, finds no violation on the screen."""
        if not AXE.is_file():
            return  # test_accessibility_was_checked says so; the rest of the test still counts
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
        problems = [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:5]) for rule in found]
        assert not problems, json.dumps(problems, indent=1)


Visiting = Callable[..., Visit]


@pytest.fixture
def visiting(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visiting]:
    """Makes windows with a context of their own each: `visiting(url, locale="zh-CN", ...)`."""
    visits: list[Visit] = []
    module = request.node.path.stem

    def visit(url: str = address, *, fake: bool = True, **options: Any) -> Visit:
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}} | options
        context = browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MS)
        context.expose_function("noteDriven", lambda name: DRIVEN.add((module, name)))
        context.add_init_script(NOTE_EVENTS)
        found = Visit(context.new_page(), url)
        found.watch()
        if fake:
            found.page.route("**/explain", found.explain)
        visits.append(found)
        return found

    yield visit
    for found in visits:
        found.page.evaluate("() => 0")  # events that are on their way arrive before its answer
        found.page.context.close()
        assert not found.messages
        assert not found.foreign


@pytest.fixture
def visit(visiting: Visiting) -> Visit:
    """A window of a desktop, in English."""
    return visiting()


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels. Source: PNG specification, IHDR is the first chunk."""
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width, height
