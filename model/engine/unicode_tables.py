"""Writes what the native text path knows of Unicode: `python -m model.engine.unicode_tables`.

Nothing is taken from a Unicode database. The `tokenizers` library itself is asked about every character, so that the
native path cannot follow another version of Unicode than the pipeline that it stands in for.
"""

import textwrap
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from tokenizers import Regex, normalizers

from model.tokenizer import EMOJI, INVISIBLE, JOINED

TABLE = Path(__file__).with_name("native") / "text_unicode.inc"

LETTER, MARK, NUMBER, SPACE, HAN, INVISIBLE_ALONE, JOINED_SCRIPT, EMOJI_SIGN, UNSURE, LONE, TRAILED = (
    1 << bit for bit in range(11)
)
"""The bits of `Kind` in `native/text_unicode.h`."""

CLASSES = {
    LETTER: r"\p{L}",
    MARK: r"\p{M}",
    NUMBER: r"\p{N}",
    SPACE: r"[\s&&[^\n]]",
    HAN: r"\p{Han}",
    INVISIBLE_ALONE: INVISIBLE,
    JOINED_SCRIPT: f"[{JOINED}]",
    EMOJI_SIGN: f"[{EMOJI}]",
}

APART = "\n"
"""Stands between characters that are asked about together: nothing changes it, and it joins with nothing."""

LOW_MARK, HIGH_MARK = "\u0334", "\u0345"
"""Marks of the lowest and the highest combining class: any mark changes places with one of them."""

PLAIN = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\u2019", "'"), normalizers.Lowercase()])
"""The steps of the pipeline that make other characters of one."""


def every_character() -> list[str]:
    """All characters that a text can hold, but `APART`."""
    return [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and chr(code) != APART]


def ask(normalizer: normalizers.Normalizer, texts: Sequence[str]) -> list[str]:
    """Normal form of each text, none of which holds `APART`."""
    return normalizer.normalize_str(APART.join(texts)).split(APART) if texts else []


def kinds_of(alone: Sequence[str]) -> list[int]:
    """`Kind` of each of these characters, by what `tokenizers` makes of it."""
    kinds = np.zeros(len(alone), dtype=np.int64)
    for bit, pattern in CLASSES.items():
        left = ask(normalizers.Replace(Regex(pattern), ""), alone)
        kinds |= [0 if character else bit for character in left]
    composed, parts = ask(normalizers.NFKC(), alone), ask(normalizers.NFKD(), alone)
    marks = marks_among({*alone, *"".join(composed), *"".join(parts)} - {APART})
    kinds |= [_neighbours(*forms, marks) for forms in zip(alone, composed, parts, strict=True)]
    return [int(kind) for kind in kinds]


def _neighbours(character: str, composed: str, parts: str, marks: set[str]) -> int:
    """Bits of `Kind` about what may stand beside a character."""
    if parts[:1] in seconds() or (parts[:1] in marks and parts != character):
        return UNSURE
    if parts in marks:
        return LONE
    return TRAILED if composed[-1:] in marks else 0


def marks_among(alone: Collection[str]) -> set[str]:
    """The combining marks among characters: they change places with other marks."""
    ordered = sorted(alone)
    after_high = ask(normalizers.NFD(), [HIGH_MARK + character for character in ordered])
    before_low = ask(normalizers.NFD(), [character + LOW_MARK for character in ordered])
    moved = zip(ordered, after_high, before_low, strict=True)
    return {c for c, high, low in moved if high == c + HIGH_MARK or low == LOW_MARK + c}


@lru_cache(maxsize=1)
def seconds() -> frozenset[str]:
    """Characters that one before them may take in: the last ones of what some character is made of."""
    made = ask(normalizers.NFD(), every_character())
    return frozenset(parts[-1] for parts in made if len(parts) > 1)


def table(alone: Sequence[str]) -> str:
    """The generated source: ranges of characters of one kind, and the characters that stand for others."""
    kinds = dict(zip(map(ord, alone), kinds_of(alone), strict=True)) | {ord(APART): SPACE}
    pool, places, mappings = [0], {}, []
    for character, plain in zip(alone, ask(PLAIN, alone), strict=True):
        if plain != character:
            if plain not in places:
                places[plain] = len(pool)
                pool += [len(plain), *map(ord, plain)]
            mappings.append(f"{{{ord(character):#x},{places[plain]}}}")
    ranges = []
    for kind, run in groupby(range(0x110000), key=lambda code: kinds.get(code, UNSURE)):
        *_, last = run
        ranges.append(f"{{{last:#x},{kind}}}")
    return (
        "// Made by `python -m model.engine.unicode_tables`; do not edit.\n"
        + _array("Range RANGES", ranges)
        + _array("Mapping MAPPINGS", mappings)
        + _array("uint32_t MAPPED", [f"{number:#x}" for number in pool])
    )


def _array(declaration: str, values: Sequence[str]) -> str:
    body = "\n".join(textwrap.wrap(", ".join(values), 116, break_long_words=False))
    return f"\nconstexpr {declaration}[] = {{\n{body}\n}};\n"


if __name__ == "__main__":
    TABLE.write_text(table(every_character()))
