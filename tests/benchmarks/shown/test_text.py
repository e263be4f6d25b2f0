import pytest

from benchmarks.shown.text import alike, filled


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.91 of 3", "0.925 of 3", True),
        ("0.91 of 3", "0.94 of 3", False),
        ("3 tokens", "4 tokens", False),
        ("positive 0.9", "negative 0.9", False),
        ("a6614bf7bb7b", "a6614bf7bb8b", False),
        ("-0.01", "+0.01", True),
        ("1 2", "1", False),
    ],
)
def test_only_numbers_may_differ_and_little(one: str, other: str, same: bool) -> None:
    assert alike(one, other, 0.02) == same


def test_a_block_is_filled_and_what_is_near_enough_stays() -> None:
    document = "a\n<!-- n -->\n0.50\n<!-- /n -->\nb\n"
    assert filled(document, {"n": "0.51", "other": "x"}, 0.02) == document
    assert filled(document, {"n": "0.51"}) == "a\n<!-- n -->\n0.51\n<!-- /n -->\nb\n"
    assert filled("<!-- n -->open", {"n": "1"}) == "<!-- n -->open"
