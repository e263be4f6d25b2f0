"""Colours of labels with two, three, six and thirteen of them, in both schemes: apart, and readable."""

import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from playwright.sync_api import Page, expect

from model.checkpoint import save_checkpoint
from tests.app.process.test_server import process, wait_ready
from tests.conftest import make_checkpoint
from tests.page.conftest import Visiting

LABELS = {
    "two": ("negative", "positive"),
    "three": ("negative", "neutral", "positive"),
    "chinese": ("中性", "正面", "负面"),
    "six": ("billing", "bug", "delivery", "praise", "question", "refund"),
    "thirteen": tuple(f"topic {number}" for number in range(13)),
}

PIXEL = """
([colour, share, ground]) => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  for (const [style, alpha] of [[ground, 1], [colour, share]]) {
    context.globalAlpha = alpha;
    context.fillStyle = style;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
"""
"""A colour over the ground, as red, green and blue from 0 to 255."""

SWATCHES = "(nodes) => nodes.map((node) => getComputedStyle(node, '::before').backgroundColor)"
TINT = "(node) => parseFloat(getComputedStyle(node).getPropertyValue('--tint')) / 100"
STYLE = "(node, [name, pseudo]) => getComputedStyle(node, pseudo)[name]"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ready server with a small model for each of `LABELS`."""
    folder = tmp_path_factory.mktemp("colours")
    arguments = []
    for name, labels in LABELS.items():
        save_checkpoint(folder / name, make_checkpoint(labels=labels))
        arguments += ["--model", f"{name}={folder / name}"]
    with process(folder / "log", *arguments) as (_, url):
        wait_ready(url)
        yield url


def pixel(page: Page, colour: str, *, share: float = 1.0, ground: str = "white") -> tuple[int, ...]:
    return tuple(page.evaluate(PIXEL, [colour, share, ground]))


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Contrast ratio of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio" and "relative luminance"."""

    def luminance(rgb: tuple[int, ...]) -> float:
        parts = [value / 255 for value in rgb]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def swatches(page: Page, model: str) -> dict[str, tuple[int, ...]]:
    """The colour in the list of probabilities of each label of a model."""
    page.select_option("#model-name", model)
    names = page.locator('[data-part="bars"]').first.locator(".name")
    expect(names).to_have_count(min(8, len(LABELS[model])))
    expect(names.first).to_have_text(re.compile("|".join(LABELS[model])))
    colours = names.evaluate_all(SWATCHES)
    return {name: pixel(page, colour) for name, colour in zip(names.all_inner_texts(), colours, strict=True)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_have_colours_that_are_told_apart_and_read(visiting: Visiting, served: str, scheme: str) -> None:
    visit = visiting(served, color_scheme=scheme)
    page = visit.open()
    surface = page.locator(".panel").first.evaluate(STYLE, ["backgroundColor", None])
    ink = pixel(page, page.locator("body").evaluate(STYLE, ["color", None]))
    found = {name: swatches(page, name) for name in LABELS}
    assert found["two"] == {label: found["three"][label] for label in LABELS["two"]}
    translated = {"负面": "negative", "中性": "neutral", "正面": "positive"}
    assert {translated[label]: colour for label, colour in found["chinese"].items()} == found["three"]
    for name in ("three", "six"):
        assert len(found[name]) == len(LABELS[name])
        for one, other in combinations(found[name].values(), 2):
            assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 60, name
    assert len(set(found["thirteen"].values())) == 1
    tint = page.locator("html").evaluate(TINT)
    for colours in found.values():
        for colour in colours.values():
            shown = f"rgb{colour}"
            assert contrast(colour, pixel(page, surface)) >= 3
            assert contrast(ink, pixel(page, shown, share=tint, ground=surface)) >= 4.5


def test_an_explanation_has_the_colour_of_its_label_and_says_which(visiting: Visiting, served: str) -> None:
    visit = visiting(served, fake=False)
    page = visit.open()
    sides = [page.locator(f'[data-part="speaks-{side}"]').first for side in ("for", "against")]
    colours = swatches(page, "three")
    for label in LABELS["three"]:
        page.locator('[data-part="explained"]').first.select_option(label)
        expect(sides[0]).to_have_text(f"speaks for {label}", timeout=60_000)
        expect(sides[1]).to_have_text(f"speaks against {label}")
        lines = [pixel(page, side.evaluate(STYLE, ["borderBottomColor", "::before"])) for side in sides]
        assert lines[0] == colours[label]
        assert lines[1] not in colours.values()
    # Of two labels, what speaks against the one speaks for the other.
    colours = swatches(page, "two")
    page.locator('[data-part="explained"]').first.select_option("negative")
    expect(page.locator(".reading .word").first).to_be_visible(timeout=60_000)
    expect(page.locator('[data-part="sum"]').first).to_contain_text("Log-odds of negative")
    expect(sides[1]).to_have_text("speaks against negative")
    page.wait_for_function("() => !document.querySelector('.stale')")
    lines = [pixel(page, side.evaluate(STYLE, ["borderBottomColor", "::before"])) for side in sides]
    assert lines == [colours["negative"], colours["positive"]]
    visit.shoot("colours")


def test_rows_of_a_file_have_the_colours_of_their_labels(visiting: Visiting, served: str) -> None:
    visit = visiting(served)
    page = visit.open()
    colours = swatches(page, "three")
    page.click('[data-view="file"]')
    with page.expect_file_chooser() as waiting:
        page.click("#file-choose")
    rows = "text\na good and charming film\na bad and boring film\n难看的电影\ndon't miss it!\n很好看\n"
    waiting.value.set_files({"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.click("#file-start")
    expect(page.locator("#file-done")).to_contain_text("5 rows")
    shares = page.locator("#file-shares .name")
    assert shares.all_inner_texts() == list(LABELS["three"])
    for nodes in (shares, page.locator("#file-table tbody .swatch")):
        shown = zip(nodes.all_inner_texts(), nodes.evaluate_all(SWATCHES), strict=True)
        assert all(pixel(page, colour) == colours[label] for label, colour in shown)
    visit.shoot("colours-file")
