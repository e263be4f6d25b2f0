"""The page around its views: model, health, key and prefix; the documentation; and that nothing was left out."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.api import pages
from app.auth.keys import new_key
from model.checkpoint import load_checkpoint
from tests.app.process.test_server import process, wait_ready
from tests.page.conftest import AXE, DRIVEN, HOST, SHIPPED, Visit, Visiting


@pytest.fixture(scope="module")
def guarded(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that wants a key and stands behind a prefix, by a name that is not localhost; and the key."""
    secret, key = new_key("page", [])
    keys = tmp_path_factory.mktemp("guarded") / "keys"
    keys.write_text(key.line())
    arguments = ("--root-path", "/classifier", "--api-keys-file", str(keys), "--model", f"tiny={tiny_checkpoint}")
    with process(keys.with_name("log"), *arguments) as (_, url):
        wait_ready(url)
        yield f"{url.replace('127.0.0.1', HOST)}/classifier", secret


def test_model_card_and_health(visit: Visit) -> None:
    page = visit.open("/#model", wait="#card dl")
    card = page.locator("#card")
    expect(card.locator("h2")).to_have_text("sentiment")
    shipped = load_checkpoint(SHIPPED)
    expect(card).to_contain_text(", ".join(shipped.config.labels))
    accuracy = shipped.metrics["evaluations"]["validation"]["scores"]["accuracy"]
    expect(card.locator("tbody tr", has_text="validation")).to_contain_text(f"{accuracy:.1%}")
    card.locator("summary").click()
    expect(card.locator("pre")).to_contain_text(f'"created": "{shipped.metrics["created"]}"')
    expect(page.locator("#health-card")).to_contain_text("tinyrunning")
    visit.shoot("model")
    visit.check_access()
    page.select_option("#model-name", "tiny")
    expect(card.locator("h2")).to_have_text("tiny")
    for name in ("file", "text", "model"):
        page.click(f'[data-view="{name}"]')
        expect(page.locator(f"#view-{name}")).to_be_visible()
        expect(page.locator("main > section[id^=view]:visible")).to_have_count(1)
        assert page.locator("nav [aria-current]").get_attribute("data-view") == name


def test_health_tells_when_the_server_is_not_ready(visit: Visit) -> None:
    visit.expected.append("503")
    problem = {"detail": "The server is not ready: sentiment is loading.", "error_type": "not_ready"}
    visit.page.route("**/health/ready", lambda route: route.fulfill(status=503, json=problem))
    page = visit.open("/#model", wait="#card dl")
    expect(page.locator("#health")).to_have_class("health unready")
    expect(page.locator("#health-card")).to_contain_text("sentiment is loading")
    visit.page.unroute("**/health/ready")
    expect(page.locator("#health")).to_have_class("health ready")


def test_a_key_is_asked_for_used_and_forgotten(visiting: Visiting, guarded: tuple[str, str]) -> None:
    url, secret = guarded
    visit = visiting(url)
    visit.expected.append("401")
    page = visit.open("", wait="#key-panel")
    shown: list[str | None] = []
    page.on("request", lambda request: shown.append(request.headers.get("x-api-key")))
    expect(page.locator("#key-panel")).to_be_visible()
    visit.check_access()
    page.fill("#key", "sluice_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-state")).to_have_text("The server does not accept the key.")
    page.fill("#key", secret)
    page.get_by_text("Use it").click()
    expect(page.locator("#key-panel")).to_be_hidden()
    expect(page.locator(".verdict .label").first).to_have_text("negative")
    expect(page.locator("#code")).to_contain_text("$SLUICE_KEY")
    assert secret in shown
    assert secret not in page.content()
    assert not page.evaluate("() => Object.values(localStorage).join()").count("sluice_")
    # Without TLS there is no clipboard: what is to be copied is selected.
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Selected; copy it with your keyboard.")
    assert page.evaluate("() => getSelection().toString()").startswith("curl")
    page.reload()
    expect(page.locator(".verdict .label").first).to_have_text("negative")
    page.click("#key-button")
    page.click("#key-forget")
    expect(page.locator("#key-panel")).to_be_visible()
    page.reload()
    expect(page.locator("#key-panel")).to_be_visible()


def test_the_documentation_runs_under_its_policy(visiting: Visiting, guarded: tuple[str, str], address: str) -> None:
    visit = visiting(guarded[0])
    page = visit.open("/docs", wait=".opblock")
    expect(page.locator(".opblock-summary-path", has_text="/predict").first).to_be_visible()
    visit = visiting(address)
    page = visit.open("/docs", wait=".opblock")
    page.locator("#operations-classification-predict .opblock-summary-control").click()
    page.locator("#operations-classification-predict").get_by_role("button", name="Try it out").click()
    page.locator("#operations-classification-predict").get_by_role("button", name="Execute").click()
    expect(
        page.locator("#operations-classification-predict .live-responses-table tbody .response-col_status")
    ).to_contain_text("200")
    visit.shoot("docs")


class Elements(HTMLParser):
    """What a person can operate in index.html, by the names that `conftest` notes of events."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("button", "select", "input", "textarea") or (tag == "a" and "data-view" in values):
            name = values.get("id") or values.get("data-part") or values.get("data-view")
            name = name or (values["value"] if values.get("type") == "radio" else None)
            if name or values.get("type") != "submit":
                self.names.add(str(name))


def test_every_element_of_the_page_was_driven() -> None:
    modules = {"test_text", "test_file", "test_whole"}
    if {module for module, _ in DRIVEN} < modules:
        pytest.skip("only if the tests of the page all run in this process")
    elements = Elements()
    elements.feed((Path(pages.__file__).parents[1] / "page" / "index.html").read_text("utf-8"))
    assert len(elements.names) > 30
    assert sorted(elements.names - {name for _, name in DRIVEN}) == []


def test_accessibility_was_checked() -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core here, so nothing was checked for accessibility: `make clients`")
