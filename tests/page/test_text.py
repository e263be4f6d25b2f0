"""The view of one text, driven as a person does."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import SCREENSHOTS, Visit, Visiting, png_size

SHOWN = "(node) => [...node.childNodes].map((one) => (one.firstChild ?? one).textContent).join('')"
"""The text that a person reads, without the values below its words."""

MARKUP = "<img src=x onerror=\"document.title='run'\"><b>bold</b> & good"


def predicted(address: str, text: str, model: str = "sentiment") -> dict[str, Any]:
    answer = httpx2.post(f"{address}/predict", json={"inputs": text, "model": model}).json()
    entry: dict[str, Any] = answer["predictions"][0]
    return entry


def write(page: Page, text: str, pane: int = 0) -> None:
    page.locator("textarea").nth(pane).fill(text)


def part(page: Page, name: str, pane: int = 0) -> Any:
    return page.locator(f'[data-part="{name}"]').nth(pane)


def test_a_slow_explanation_says_how_long_it_may_take_and_is_given_up(visit: Visit) -> None:
    page = visit.page
    page.route("**/explain", lambda _route: None)  # it never answers
    page.clock.install()
    visit.open()
    expect(part(page, "explaining")).to_have_text("Explaining…")
    page.clock.fast_forward(1500)
    expect(part(page, "explaining")).to_have_text("Explaining… The server is busy; this may take up to 20 s.")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/explain")):  # the server is told
        page.clock.fast_forward(20_000)
    expect(part(page, "explaining")).to_have_text(
        "No explanation within 20 s: the server is too busy. Change the text or the label to ask again."
    )
    expect(part(page, "explained-parts")).to_be_hidden()
    page.unroute("**/explain")
    page.route("**/explain", visit.explain)
    write(page, "Dull.")
    page.clock.fast_forward(1000)
    expect(part(page, "explained-parts")).to_be_visible()
    expect(part(page, "explaining")).to_have_text("")


def test_typing_gives_label_probabilities_and_reasons(visit: Visit, address: str) -> None:
    page = visit.open()
    expect(page.locator("#health-text")).to_have_text("Ready")
    text = "Not worth it. 这家酒店很好！"
    write(page, text)
    expected = predicted(address, text)
    expect(part(page, "label")).to_have_text(expected["label"])
    shown = [f"{score['label']}{score['score'] * 100:.2f}%" for score in expected["scores"]]
    expect(part(page, "bars").locator("li")).to_have_text(shown)
    expect(part(page, "note")).to_contain_text(f"{expected['tokens']} tokens")
    # The text stands there unchanged, its words with their signed values, the sentences below.
    words = page.locator(".reading .word")
    expect(words).to_have_count(11)
    assert "".join(words.locator("span:first-child").all_inner_texts()).startswith("Notworthit.这家")
    for value, side in zip(words.locator(".value").all_inner_texts(), words.all(), strict=True):
        assert ("against" if value.startswith("−") else "for") in str(side.get_attribute("class"))
    expect(page.locator(".sentences li")).to_have_text(["Not worth it.positive 75.0%", "这家酒店很好！positive 75.0%"])
    expect(part(page, "sum")).to_contain_text("0.21%")
    assert visit.bodies[-1] == {
        "inputs": text,
        "model": "sentiment",
        "occlusion": True,
        "sentences": True,
        "gates": True,
        "units": [0],
    }
    # Tokens in place of words, without values.
    page.locator("input[value=tokens]").first.check()
    assert words.count() > 11
    part(page, "values").uncheck()
    expect(words.first.locator(".value")).to_have_css("position", "absolute")
    page.locator("input[value=words]").first.check()
    page.locator("summary").first.click()
    rows = part(page, "strongest").locator("tbody tr")
    expect(rows).to_have_count(10)
    expect(rows.first.locator("td")).to_have_count(2)
    # Another label.
    with page.expect_response("**/explain"):
        part(page, "explained").select_option("positive")
    expect(part(page, "explained-parts")).not_to_have_class("stale")
    assert visit.bodies[-1]["label"] == "positive"
    write(page, "  ")
    expect(part(page, "state")).to_have_text("The answer appears here as you type.")
    expect(part(page, "why")).to_be_hidden()


def test_the_words_of_a_text_from_right_to_left_stand_from_right_to_left(visit: Visit) -> None:
    page = visit.open()
    write(page, "הסרט הזה +1")
    words = page.locator(".reading .word")
    expect(words.first).to_contain_text("ה")  # and no longer the text before it
    first, second = (words.nth(at).bounding_box() for at in (0, 1))
    assert first
    assert second
    assert first["x"] > second["x"]
    expect(words.first.locator(".value")).to_have_css("direction", "ltr")  # else +0.50 reads 0.50+
    expect(page.locator("textarea").first).to_have_css("direction", "rtl")


def test_gates_are_a_table_and_a_line(visit: Visit) -> None:
    page = visit.open()
    heat, line = part(page, "heat"), part(page, "line")
    expect(heat.locator("tbody tr")).to_have_count(14)  # six means and a unit, forward and backward
    tokens = heat.locator("thead th").count() - 1
    expect(line.locator("circle.forward")).to_have_count(tokens)
    expect(line.locator("polyline")).to_have_count(2)
    part(page, "gate").select_option("forget")
    expect(heat.locator("tbody th")).to_have_text(["→ forget", "→ unit 0", "← forget", "← unit 0"])
    before = line.locator("polyline").first.get_attribute("points")
    part(page, "unit").fill("7")
    part(page, "unit").press("Enter")
    expect(heat.locator("tbody th").nth(1)).to_have_text("→ unit 7")
    assert visit.bodies[-1]["units"] == [7]
    assert line.locator("polyline").first.get_attribute("points") != before
    assert "Cell state of unit 7" in str(line.locator("svg").get_attribute("aria-label"))
    # The points of the line stand below the columns of the table.
    boxes = (heat.locator("thead th").nth(3).bounding_box(), line.locator("circle.forward").nth(2).bounding_box())
    column, point = (box["x"] + box["width"] / 2 for box in boxes if box)
    assert point == pytest.approx(column, abs=2)
    # A unit that there is not: the server's sentence, and what was there stays.
    visit.expected.append("422")
    visit.statuses.append((422, {}))
    part(page, "unit").fill("9999")
    part(page, "unit").press("Enter")
    expect(part(page, "explaining")).to_have_text("No explanation: refused with 422")
    expect(heat).to_be_visible()


def test_text_is_never_markup(visit: Visit) -> None:
    page = visit.open()
    page.click("#compare")
    for pane in (0, 1):
        write(page, MARKUP, pane)
        expect(part(page, "reading", pane)).to_contain_text("onerror")  # and no longer the text before it
    assert page.title() == "Sluice"
    assert page.locator("main img, main b").count() == 0
    expect(page.locator("#code")).to_contain_text("<img src=x")
    assert part(page, "reading").evaluate(SHOWN) == MARKUP


def test_two_texts_side_by_side_and_two_models(visit: Visit, address: str) -> None:
    page = visit.open()
    page.click("#compare")
    write(page, "A wonderful film.")
    write(page, "难看的电影", 1)
    for pane, text in enumerate(("A wonderful film.", "难看的电影")):
        expect(part(page, "label", pane)).to_have_text(predicted(address, text)["label"])
    boxes = [page.locator(".pane").nth(pane).bounding_box() for pane in (0, 1)]
    (left, right) = (box for box in boxes if box)
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    expect(part(page, "heat", 1)).to_be_visible()
    visit.shoot("compare")
    page.select_option("#model-name", "tiny")
    for pane, text in enumerate(("A wonderful film.", "难看的电影")):
        score = predicted(address, text, "tiny")["scores"][0]
        expect(part(page, "bars", pane).locator("li").first).to_have_text(
            f"{score['label']}{score['score'] * 100:.2f}%"
        )
    expect(page.locator("#code")).to_contain_text('"model":"tiny"')
    page.click("#compare")
    expect(page.locator(".pane").nth(1)).to_be_hidden()
    for chip in page.locator(".pane").first.locator(".chip").all():
        chip.click()
        expect(page.locator("textarea").first).to_have_value(str(chip.get_attribute("title")))


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([(404, {})], "This server gives no explanations. Predictions work without them."),
        ([(503, {"Retry-After": "0.2"})] * 9, "No explanation: refused with 503"),
        ([(500, {})], "No explanation: refused with 500"),
    ],
    ids=["off", "busy", "broken"],
)
def test_without_explanations_it_still_predicts(
    visit: Visit, address: str, statuses: list[tuple[int, dict[str, str]]], words: str
) -> None:
    visit.expected.append("Failed to load resource")
    visit.statuses.extend(statuses * 2)
    page = visit.open()
    expect(part(page, "explaining")).to_have_text(words)
    expect(part(page, "explained-parts")).to_be_hidden()
    write(page, "Dull.")
    expect(part(page, "label")).to_have_text(predicted(address, "Dull.")["label"])


def test_a_busy_server_is_asked_again(visit: Visit, address: str) -> None:
    visit.expected.append("503")
    refusals = [503, 503]

    def refuse(route: Any) -> None:
        if refusals:
            route.fulfill(status=refusals.pop(), headers={"Retry-After": "0.2"}, json={"detail": "busy"})
        else:
            route.fallback()

    visit.page.route("**/predict", refuse)
    page = visit.open()
    written = page.locator("textarea").first.input_value()
    expect(part(page, "label")).to_have_text(predicted(address, written)["label"])
    assert not refusals


# --- the call ---

TEXT = "It's \"good\",\nisn't it? \\ $HOME `id` 好 😀"


def run_code(language: str, code: str, folder: Path) -> str:
    environ = os.environ | {"SLUICE_KEY": "unused"}
    if language == "python":
        command = [sys.executable, "-c", code]
    elif language == "curl":
        command = ["bash", "-c", code]
    else:
        (folder / "call.mjs").write_text(code, "utf-8")
        command = ["node", str(folder / "call.mjs")]
    run = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("language", ["curl", "python", "javascript"])
def test_the_copied_call_gives_what_is_on_the_screen(
    visiting: Visiting, address: str, tmp_path: Path, language: str
) -> None:
    if shutil.which({"curl": "curl", "python": sys.executable, "javascript": "node"}[language]) is None:
        pytest.skip(f"nothing here that runs {language}")
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    page = visit.open()
    write(page, TEXT)
    page.locator(f'input[name="code"][value="{language}"]').check()
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Copied.")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    printed = run_code(language, copied, tmp_path)
    answer = ast.literal_eval(printed) if language == "python" else json.loads(printed)
    (entry,) = answer["predictions"]
    assert entry == predicted(address, TEXT)
    page.locator('input[name="route"][value="explain"]').check()
    expect(page.locator("#code")).to_contain_text("/explain")
    expect(page.locator("#code")).to_contain_text("units")
    page.locator('input[name="route"][value="predict"]').check()
    expect(page.locator("#code")).not_to_contain_text("units")


# --- for everybody ---


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit.open()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("textarea").first).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("Dull.")
    page.keyboard.press("Control+Enter")
    expect(part(page, "label")).to_have_text("negative")
    expect(part(page, "explained-parts")).to_be_visible()
    expect(part(page, "explained-parts")).not_to_have_class("stale")
    expect(part(page, "unit")).to_be_visible()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name = "document.activeElement.id || document.activeElement.dataset.part || document.activeElement.name || ''"
        reached.add(page.evaluate(f"() => {name}"))
    assert {
        "compare",
        "explained",
        "values",
        "gate",
        "unit",
        "route",
        "code",
        "copy",
        "model-name",
        "language",
    } <= reached


def test_in_chinese_on_a_phone_in_the_dark(visiting: Visiting) -> None:
    phone = {"width": 390, "height": 844}
    visit = visiting(locale="zh-CN", viewport=phone, color_scheme="dark", device_scale_factor=2)
    page = visit.open()
    assert page.evaluate("() => document.documentElement.lang") == "zh-Hans"
    expect(page.locator("h2:visible").first).to_have_text("为什么")
    expect(part(page, "heat")).to_be_visible()
    visit.check_access()
    visit.shoot("phone-dark-zh")
    assert png_size(SCREENSHOTS / "phone-dark-zh.png")[0] == 780, "something is wider than the phone"
    page.click("#language")
    expect(page.locator("h2:visible").first).to_have_text("Why")
    page.reload()
    expect(page.locator("h2:visible").first).to_have_text("Why")
    expect(part(page, "heat")).to_be_visible()
    visit.shoot("phone-dark-en")
    visit.check_access()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_desktop(visiting: Visiting, scheme: str) -> None:
    visit = visiting(color_scheme=scheme)
    page = visit.open()
    expect(part(page, "heat")).to_be_visible()
    visit.shoot(f"text-{scheme}")
    visit.check_access()
    page.locator("summary").first.click()
    page.click("#compare")
    expect(part(page, "heat", 1)).to_be_visible()
    visit.check_access()


def test_the_real_explanations(visiting: Visiting, address: str) -> None:
    visit = visiting(fake=False)
    page = visit.open()
    text = "This is not a good film 😀. 难看的电影！"
    body = {"inputs": text, "gates": True, "units": [3]}
    (expected,) = httpx2.post(f"{address}/explain", json=body, timeout=60).json()["explanations"]
    write(page, text)
    expect(part(page, "reading")).to_contain_text("难", timeout=60_000)
    shown = [float(value.replace("−", "-")) for value in part(page, "reading").locator(".value").all_inner_texts()]
    assert shown == pytest.approx([word["score"] for word in expected["attribution"]["words"]], abs=0.02)
    expect(page.locator(".sentences li")).to_have_count(2)
    part(page, "unit").fill("3")
    part(page, "unit").press("Enter")
    part(page, "gate").select_option("cell")
    rows = part(page, "heat").locator("tbody tr")
    expect(rows.nth(1).locator("th")).to_have_text("→ unit 3", timeout=60_000)
    cells = [float(value.replace("−", "-")) for value in rows.nth(1).locator("td").all_inner_texts()]
    assert cells == pytest.approx(expected["gates"][0]["units"][0]["cell"], abs=0.02)
    part(page, "gate").select_option("all")
    page.locator("summary").first.click()
    visit.shoot("explained")
    visit.check_access()
    page.locator("input[value=tokens]").first.check()
    assert part(page, "reading").evaluate(SHOWN) == text, "bytes of an emoji are one piece"
    visit.expected.append("422")
    part(page, "unit").fill("9999")
    part(page, "unit").press("Enter")
    expect(part(page, "explaining")).to_contain_text("No explanation: ", timeout=60_000)
