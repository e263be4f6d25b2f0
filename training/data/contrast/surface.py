"""Surfaces of a text: letter case, marks, lengthened words, full width letters and the traditional script.

None of them changes a label. Most texts stay as they are.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

Surface = Callable[[str, Random], str]
"""From a text to the same words, perhaps written otherwise."""


def _traditional_table() -> Mapping[int, str]:
    table = tomllib.loads((Path(__file__).parent / "script.toml").read_text(encoding="utf-8"))
    return {ord(a): b for a, b in zip(table["simplified"], table["traditional"], strict=True)}


TRADITIONAL = _traditional_table()
FULL_WIDTH = {code: chr(code + 0xFEE0) for code in range(ord("!"), ord("~") + 1)}
"""ASCII signs at the width of a Chinese character (Unicode block Halfwidth and Fullwidth Forms)."""

HALF_WIDTH = str.maketrans("，。！？：；", ",.!?:;")


def full_width(text: str, _: Random) -> str:
    """Writes ASCII letters, digits and marks at full width.

    >>> full_width("A4 好", Random(0))
    'Ａ４ 好'
    """
    return text.translate(FULL_WIDTH)


def traditional(text: str, _: Random) -> str:
    """Writes each character as the traditional script does.

    A character of several traditional forms gets the commonest, so a word may be spelt as nobody would.

    >>> traditional("这个电影不错", Random(0))
    '這個電影不錯'
    """
    return text.translate(TRADITIONAL)


def lengthen(text: str, rng: Random) -> str:
    """Repeats a vowel or the last letter of one word of three or more letters: "so good" becomes "so goooood"."""
    words = list(re.finditer(r"\b[A-Za-z]*[aeiouAEIOU][A-Za-z]*\b", text))
    words = [word for word in words if len(word[0]) > 1]
    if not words:
        return text
    word = rng.choice(words)
    places = [word.start() + i for i, letter in enumerate(word[0]) if letter.lower() in "aeiou"] + [word.end() - 1]
    place = rng.choice(places)
    return text[:place] + text[place] * rng.randint(2, 6) + text[place + 1 :]


def chatty(text: str, _: Random) -> str:
    """Writes small letters only and drops the full stop."""
    return text.lower().removesuffix(".").removesuffix("。")


def shouted(text: str, _: Random) -> str:
    """Writes capital letters only."""
    return text.upper()


def _half_width(text: str, _: Random) -> str:
    return text.translate(HALF_WIDTH)


def _spaced(text: str, _: Random) -> str:
    return text.replace("，", " ").replace("。", " ").strip()


ENGLISH: Mapping[Surface, float] = {chatty: 0.1, lengthen: 0.06, shouted: 0.03, full_width: 0.005}
CHINESE: Mapping[Surface, float] = {chatty: 0.1, traditional: 0.15, _spaced: 0.04, _half_width: 0.03, full_width: 0.02}
"""Share of the texts that each surface takes; a text takes one at most."""


def _choose(text: str, rng: Random, surfaces: Mapping[Surface, float]) -> str:
    drawn = rng.random()
    for surface, share in surfaces.items():
        if drawn < share:
            return surface(text, rng)
        drawn -= share
    return text


def english_surface(text: str, rng: Random) -> str:
    """Writes one text in five or so as chats and posts do."""
    return _choose(text, rng, ENGLISH)


def chinese_surface(text: str, rng: Random) -> str:
    """Writes three texts in ten with other marks, in the traditional script or at full width."""
    return _choose(text, rng, CHINESE)
