import pytest

from tests.training.inspection.conftest import Make, Rows
from training.inspection.characters import PATTERNS, check_characters

PLANTED = {
    "mojibake": ["cafÃ©", "donâ€™t", "锟斤拷", "ä¸\xadæ–‡", "ðŸ˜€ ok", "ï»¿start", "it鈥檚"],
    "replacement": ["caf\ufffd"],
    "control": ["a\x00b", "a\x08b", "a\x9db"],
    "escape": [r"caf\u00e9", r"one\n two", r"\xe9"],
    "markup": ["one<br />two", "<a href='x'>y</a>", "cats &amp; dogs", "&#39;tis", "<B>big</B>"],
}
CLEAN = [
    "São Paulo, não É ÃO, Âge, naïve café", "I <3 it, a < b > c, R&D; AT&T", "D:\\new\\readme", "中文，很好。",
    "emoji 😀 — “quoted”", "tab\tand\nline", "锛 is a character", "<user> said <url>",
]  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_defect_is_counted(kind: str, clean: Rows, material: Make) -> None:
    rows = [*clean, *((text, "good") for text in PLANTED[kind])]
    found = {one.kind: one for one in check_characters(material(rows))}
    assert found[kind].count == len(PLANTED[kind])
    assert [one.row for one in found[kind].examples] == [201, 202, 203][: len(PLANTED[kind])]


def test_each_pattern_has_a_planted_defect() -> None:
    assert PLANTED.keys() == PATTERNS.keys()


def test_nothing_is_found_in_usual_texts(material: Make) -> None:
    assert list(check_characters(material([(text, "good") for text in CLEAN]))) == []


def test_an_example_shows_the_place(clean: Rows, material: Make) -> None:
    (found,) = check_characters(material([(f"{clean[0][0] * 3} <br> end", "good"), *clean]))
    assert found.examples[0].text.startswith("…")
    assert found.examples[0].text.endswith("<br> end")
    assert found.severity == "note"


def test_much_of_it_is_worth_a_look(clean: Rows, material: Make) -> None:
    (found,) = check_characters(material([(f"{text}<br>", label) for text, label in clean]))
    assert (found.kind, found.severity) == ("markup", "look")
