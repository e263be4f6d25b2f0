"""Changes of a text that do not change its sentiment: typos, letter case and lengthened words."""

import re
from random import Random

KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {letter: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in KEYBOARD for i, letter in enumerate(row)}
MIN_TYPO = 5
"""Shorter words are left alone: a letter may make another word of them ("not", "now")."""


def add_typos(text: str, rng: Random, count: int = 2) -> str:
    """`count` words of at least `MIN_TYPO` letters each get one typo, never in the first letter: readers need that one.

    >>> sum(a != b for a, b in zip("a wonderful thing".split(), add_typos("a wonderful thing", Random(0)).split()))
    2
    """
    words = [match for match in re.finditer(r"[A-Za-z]+", text) if len(match[0]) >= MIN_TYPO]
    for match in sorted(rng.sample(words, min(count, len(words))), key=lambda match: -match.start()):
        text = text[: match.start()] + typo(match[0], rng) + text[match.end() :]
    return text


def typo(word: str, rng: Random) -> str:
    """The word with two letters swapped, or one left out, doubled or replaced by its neighbour on the keyboard."""
    places = [i for i in range(1, len(word) - 1) if word[i] != word[i + 1] and word[i].lower() in NEIGHBOURS]
    i = rng.choice(places)
    return rng.choice(
        [
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[:i] + word[i + 1 :],
            word[:i] + word[i] + word[i:],
            word[:i] + rng.choice(NEIGHBOURS[word[i].lower()]) + word[i + 1 :],
        ]
    )


def swap_case(text: str, rng: Random) -> str:
    """All in small letters, all in capitals, or each word begun with one."""
    return rng.choice([text.lower(), text.upper(), " ".join(word[:1].upper() + word[1:] for word in text.split())])


def lengthen(text: str, rng: Random) -> str:
    """Two words get one vowel each repeated, as in "so goooood"."""
    vowels = list(re.finditer(r"(?<=[A-Za-z])[aeiou](?=[A-Za-z]*)", text))
    for match in sorted(rng.sample(vowels, min(2, len(vowels))), key=lambda match: -match.start()):
        text = text[: match.end()] + match[0] * rng.randint(2, 5) + text[match.end() :]
    return text
