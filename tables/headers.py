"""Tells a line of names from a text, or a row of data, that stands in its place."""

import re
from collections.abc import Mapping, Sequence

from tables.names import COMMON, TEXT_NAMES, folded

WORDS = re.compile(r"[^\W\d_]{2,}[^\w\n]+[^\W\d_]|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}")
"""Two words, or two letters of a script without spaces."""

NAMING = {*TEXT_NAMES, "feedback", "opinion", "answer", "response", "note", "summary", "评价", "反馈", "意见", "回答"}
"""Words that a name of a column of texts may have among others."""

FEW_WORDS = 5
FEW_LETTERS = 8
"""Words of a name, at most, and letters of one in a script without spaces."""

LONG = 40
"""Letters of a line that is too long for a name; one of a script without spaces counts as three."""

ALIKE = 0.2
"""Share of the values that end as a name does, from which on it looks like them."""

SHOWN_CHARS = 40

_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ENDS = (re.compile(r"[.!…。！][\"'”’»）)]*\s*\Z"), re.compile(r"[?？][\"'”’»）)]*\s*\Z"))
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?%?")


def names_texts(name: str) -> bool:
    """True if a name is one that columns of texts have.

    >>> names_texts("Review text"), names_texts("评论内容"), names_texts("The best review that I have ever read")
    (True, True, False)
    """
    plain = folded(name)
    words = re.findall(r"[^\W_]+", plain)
    if plain in TEXT_NAMES:
        return True
    if _DENSE.search(plain):
        return len(plain) <= FEW_LETTERS and any(word in plain for word in NAMING)
    return len(words) <= FEW_WORDS and not _ENDS[0].search(plain) and not NAMING.isdisjoint(words)


def why_no_header(name: str, values: Mapping[str, Sequence[object]]) -> str:
    """The cause, as a clause, why the first line is taken for a row; empty if it may be a header.

    Args:
        name: of the column of texts, as the first line has it.
        values: the first values of each column.

    >>> why_no_header("good film", {"good film": ["bad film"], "1": ["2"]})
    "'1' is a number as in the rows below"
    >>> why_no_header("customer voice", {"customer voice": ["bad film"], "date": ["2024-05-01"]})
    ''
    """
    if names_texts(name) or not any(map(str.isalpha, name)):
        return ""
    others = {other: _filled(cells) for other, cells in values.items() if other != name}
    if any(_is_name(other, cells) for other, cells in others.items()):
        return ""
    for other, cells in others.items():
        if _NUMBER.fullmatch(other) and cells and all(map(_NUMBER.fullmatch, cells)):
            return f"'{other}' is a number as in the rows below"
        if other in cells and len(set(cells)) > 1:
            return f"'{other}' is a value of other rows too"
    return f"{_shown(name)} reads like a text" if _is_like(name, _filled(values[name])) else ""


def _filled(cells: Sequence[object]) -> list[str]:
    return [str(cell) for cell in cells if cell is not None and str(cell).strip()]


def _is_name(name: str, cells: Sequence[str]) -> bool:
    """True if a name is a usual one, or has no digit where all values have."""
    digits = [any(map(str.isdigit, text)) for text in (name, *cells)]
    return folded(name) in COMMON or (len(cells) > 0 and all(digits[1:]) and not digits[0])


def _is_like(name: str, texts: Sequence[str]) -> bool:
    """True if a name ends as a sentence and so do values, or is long and has the length of a value."""
    for end in _ENDS:
        if WORDS.search(name) and end.search(name) and sum(map(bool, map(end.search, texts))) >= ALIKE * len(texts):
            return True
    sizes = list(map(_size, texts))
    return bool(sizes) and _size(name) >= LONG and min(sizes) <= _size(name) <= max(sizes)


def _size(text: str) -> int:
    return len(text) + 2 * len(_DENSE.findall(text))


def _shown(name: str) -> str:
    return f"'{name}'" if len(name) <= SHOWN_CHARS else f"'{name[:SHOWN_CHARS]}…'"
