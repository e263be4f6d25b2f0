import pytest

from tables.names import clean_name, folded, same_name


@pytest.mark.parametrize(
    "name", ["text", " Text", "TEXT\u00a0", "\ufefftext", "te\u00adxt", "ｔｅｘｔ", "\u200etext\u200f"]
)
def test_names_that_look_alike_are_the_same(name: str) -> None:
    assert same_name(name, "text")
    assert folded(name) == "text"


def test_other_names_are_not() -> None:
    assert not same_name("texts", "text")
    assert not same_name("my text", "mytext")
    assert clean_name("\u200b") == ""
