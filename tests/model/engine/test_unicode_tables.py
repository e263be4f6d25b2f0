"""The table of characters in the native text path is what `tokenizers` says of them today."""

import re
from functools import lru_cache

import numpy as np
import pytest

from model.engine.unicode_tables import PLAIN, TABLE, ask, every_character, kinds_of, marks_among, table


@lru_cache
def parsed() -> tuple[np.ndarray, dict[int, int], list[int]]:
    """Kinds [code], places in the pool by code, and the pool."""
    ranges, mappings, pool = TABLE.read_text().split("constexpr ")[1:]
    ends = [(int(last, 16), int(kind)) for last, kind in re.findall(r"\{(\w+),(\d+)\}", ranges)]
    lengths = np.diff([-1, *(last for last, _ in ends)])
    places = {int(code, 16): int(place) for code, place in re.findall(r"\{(\w+),(\d+)\}", mappings)}
    return np.repeat([kind for _, kind in ends], lengths), places, [int(n, 16) for n in re.findall(r"0x\w+", pool)]


def test_the_table_is_current() -> None:
    kinds, places, pool = parsed()
    assert len(kinds) == 0x110000
    sample = [
        c for c in every_character() if ord(c) < 0x600 or ord(c) % 211 == 0 or (ord(c) in places and ord(c) % 7 == 0)
    ]
    for character, kind, plain in zip(sample, kinds_of(sample), ask(PLAIN, sample), strict=True):
        assert kinds[ord(character)] == kind, hex(ord(character))
        place = places.get(ord(character))
        mapped = character if place is None else "".join(map(chr, pool[place + 1 : place + 1 + pool[place]]))
        assert mapped == plain, hex(ord(character))


def test_a_small_table() -> None:
    text = table(["A", "a", "\u0301", "½"])
    assert text.startswith("// Made by")
    assert "{0x41,1}" in text
    assert "{0x41,1}, {0xbd,3}" in text  # "A" maps to "a"; "½" to "1", a slash and "2"


@pytest.mark.parametrize("mark", ["\u0301", "\u0334", "\u0345", "\u0e49", "\u094d"])
def test_marks_are_told_by_their_changing_places(mark: str) -> None:
    assert marks_among(["a", mark, "\u093e", "가"]) == {mark}
