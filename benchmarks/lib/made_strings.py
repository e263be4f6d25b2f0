"""Strings to compare two tokenisers on: every character, real texts cut and changed, tokens and marks put together."""

import random
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from tokenizers import Tokenizer, decoders

from model.tokenizer import END_OF_WORD

BLOCK = 8192
"""Strings that are compared together."""

SURROUNDINGS = ("{}", "a{}b", "很{0}{0}{0}{0}好", "e\u0e49{}\u0301'S", "{}\u200d{} n't")

SPECIAL = (
    "aAnNtT'’sS \n\t\r\x00\x85!!！…“”—–½①ﬁÉéİßŒ很〇⺀々가ᄀ\u1161ﾞ\u0301\u0308\u0334\u0e49\u094d"
    "\u200b\u200c\u200d\ufeff\ufe0f😀👍🏽♀❤ﷺ\U000e0061"
)
"""Characters that rules of the pipelines ask about."""

LETTERS = "aeiouyAEOUсшאبकกགကがᄀ가ა"
MARKS = "".join(map(chr, [*range(0x300, 0x370), *range(0x591, 0x5BE), *range(0x64B, 0x65F), 0x93C, 0x94D, 0xE49]))
"""Letters and marks that melt into one character in normal forms."""


@lru_cache(maxsize=1)
def every_character() -> str:
    """All code points but the surrogates."""
    return "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


@lru_cache(maxsize=1)
def combining_marks() -> str:
    """All characters that Unicode gives a combining class."""
    return "".join(filter(unicodedata.combining, every_character()))


@lru_cache(maxsize=2)
def letters_of_scripts(characters: str) -> str:
    """The first and the last letter of each script, as their names tell it: 'GREEK SMALL LETTER ALPHA'.

    >>> letters_of_scripts("aszαω1")
    'azαω'
    """
    found: dict[str, str] = {}
    for character in characters:
        if unicodedata.category(character).startswith("L"):
            script, _, _ = unicodedata.name(character, "").partition(" ")
            found[script] = found.get(script, "")[:1] + character
    return "".join(found.values())


class Strings:
    """Strings by the number of their block; a block depends on the seed and its number alone.

    Args:
        texts: to cut and to change.
        tokenizer: whose tokens are put together.
        seed: of the draws.
    """

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer, seed: int) -> None:
        self._texts = texts or ["It's a good film, don't miss it!", "这部电影很好看。"]
        self._tokens = [_spelled(token) for token in sorted(tokenizer.get_vocab())]
        self._seed = seed
        self._every = every_character()
        self._scripts = letters_of_scripts(self._every)
        self._combining = combining_marks()
        self.kinds: tuple[Callable[[random.Random, int], list[str]], ...] = (
            self.characters, self.cuttings, self.mutated, self.characters, self.vocabulary, self.marks
        )  # fmt: skip

    def block(self, number: int) -> tuple[str, list[str]]:
        """The kind and the strings of a block."""
        turn, place = divmod(number, len(self.kinds))
        make = self.kinds[place]
        nth = 2 * turn + (place > 0) if make == self.characters else turn
        return make.__name__, make(random.Random(f"{self._seed} {number}"), nth)

    def characters(self, _: random.Random, nth: int) -> list[str]:
        """Every character in one surrounding after the other."""
        start = nth * BLOCK
        turns = [divmod(i, len(self._every)) for i in range(start, start + BLOCK)]
        return [SURROUNDINGS[turn % len(SURROUNDINGS)].format(self._every[place]) for turn, place in turns]

    def cuttings(self, draw: random.Random, _: int) -> list[str]:
        """Parts of the texts."""
        return [self._cut(draw) for _ in range(BLOCK)]

    def mutated(self, draw: random.Random, _: int) -> list[str]:
        """Parts of the texts, changed in one to four places."""
        return [_by_bytes(self._cut(draw), draw) if i % 3 == 0 else self._edited(draw) for i in range(BLOCK)]

    def vocabulary(self, draw: random.Random, _: int) -> list[str]:
        """Tokens put together: places where byte-pair encoding has a choice."""
        rows = (draw.choices(self._tokens, k=draw.randint(1, 5)) for _ in range(BLOCK))
        return [b"".join(row).decode("utf-8", "replace") for row in rows]

    def marks(self, draw: random.Random, nth: int) -> list[str]:
        """Letters with combining marks; every second one by scripts in turn, first with 64 marks."""
        made = []
        for i in range(BLOCK):
            turn, place = divmod((nth * BLOCK + i) // 2, len(self._scripts))
            letter, marks = (self._scripts[place], self._combining) if i % 2 else (draw.choice(LETTERS), MARKS)
            number = (64, 1, 2, 3)[turn % 4] if i % 2 else draw.choices([1, 2, 3, 64], [6, 2, 1, 1])[0]
            made.append(letter + "".join(draw.choices(marks, k=number)) + draw.choice(LETTERS))
        return made

    def _cut(self, draw: random.Random) -> str:
        text = draw.choice(self._texts)
        start = draw.randrange(max(len(text), 1))
        return text[start : start + draw.randint(1, 50)]

    def _edited(self, draw: random.Random) -> str:
        text = self._cut(draw)
        for _ in range(draw.randint(1, 4)):
            place, end = draw.randint(0, len(text)), draw.choice([0, 0, 1])
            new = draw.choice(SPECIAL) if draw.random() < 0.8 else draw.choice(self._every)
            text = text[:place] + new * draw.choice([1, 1, 1, 3, 20]) + text[place + end :]
        return text


def _spelled(token: str) -> bytes:
    """Bytes of a token."""
    return decoders.ByteLevel().decode([token.removesuffix(END_OF_WORD)]).encode()


def _by_bytes(text: str, draw: random.Random) -> str:
    changed = bytearray(text.encode())
    for _ in range(draw.randint(1, 3)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return changed.decode("utf-8", "replace")
