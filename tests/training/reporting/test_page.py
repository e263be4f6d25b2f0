"""The page: it loads nothing, escapes every text, and can be read without seeing it."""

import re
from html.parser import HTMLParser

from tests.training.reporting.made import SCRIPT, made_report
from training.reporting.page import main_file, write_page

VOID = {"meta", "path", "use", "rect"}


class Elements(HTMLParser):
    """Collects the elements of a page, and checks that each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_no_text_of_the_data_becomes_an_element() -> None:
    page = write_page(made_report(), json_name=f"{SCRIPT}.json")
    assert {"script", "b", "img"}.isdisjoint(tag for tag, _ in Elements(page).found)
    assert page.count("&lt;script&gt;") > 15
    assert not any(name.startswith("on") for _, attributes in Elements(page).found for name in attributes)


def test_nothing_is_loaded() -> None:
    page = write_page(made_report(), json_name="r.json")
    assert "http:" not in page.replace("http-equiv", "")
    assert "https:" not in page
    for tag, attributes in Elements(page).found:
        assert tag not in ("link", "img", "iframe", "object", "embed")
        links = [attributes.get(name) for name in ("href", "src", "xlink:href") if attributes.get(name)]
        assert all(link is not None and link.startswith("#") for link in links)
    assert "default-src 'none'" in page
    assert not re.search(r"url\((?!#)", page)


def test_ids_are_unique_and_links_lead_somewhere() -> None:
    elements = Elements(write_page(made_report(), json_name="r.json")).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes.get("href") or attributes.get("xlink:href") for _, attributes in elements]
    assert {link[1:] for link in links if link} <= set(ids)


def test_tables_have_captions_and_drawings_have_words() -> None:
    page = write_page(made_report(), json_name="r.json")
    elements = Elements(page).found
    tags = [tag for tag, _ in elements]
    assert tags.count("table") == tags.count("caption") >= 6
    drawings = [attributes for tag, attributes in elements if tag == "figure"]
    assert len(drawings) == 3
    assert all("%" in (a["aria-label"] or "") or "epoch" in (a["aria-label"] or "") for a in drawings)
    assert page.count('<svg aria-hidden="true"') == 3
    assert "prefers-color-scheme: dark" in page


def test_a_thousand_labels_are_cut_to_the_worst() -> None:
    report = made_report(tuple(f"label {i}" for i in range(1000)))
    part = report.held_out[0]
    scores = part.evaluation.scores.model_copy(update={"confusion": None})
    evaluation = part.evaluation.model_copy(update={"scores": scores})
    report = report.model_copy(update={"held_out": (part.model_copy(update={"evaluation": evaluation}),)})
    page = write_page(report, json_name="r.json")
    assert "The 50 labels of the lowest F1, of 1,000" in page
    assert "a matrix of 1,000 labels is too large to show" in page
    assert len(page) < 200_000


def test_what_is_left_out_says_why() -> None:
    reasons = {"learning": "No curve", "baseline": "No texts", "label_errors": "No & labels"}
    gone = {"baseline": None, "label_errors": None, "history": (), "left_out": reasons}
    page = write_page(made_report().model_copy(update=gone), json_name="r.json")
    assert all(reason in page for reason in ("No curve.", "No texts.", "No &amp; labels."))


def test_the_test_file_stands_at_the_top_and_its_errors_are_not_listed() -> None:
    report = made_report()
    test = report.held_out[0].model_copy(update={"role": "test", "worst": ()})
    assert report.baseline is not None
    compared = tuple(report.baseline.compared[0].model_copy(update={"role": role}) for role in ("validation", "test"))
    baseline = report.baseline.model_copy(update={"compared": compared})
    report = report.model_copy(update={"held_out": (report.held_out[0], test), "baseline": baseline})
    assert main_file(report).role == "test"
    page = write_page(report, json_name="r.json")
    assert "Accuracy on test" in page
    assert page.count("Its wrong answers are not listed") == 1
