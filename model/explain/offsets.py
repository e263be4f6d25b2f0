"""Places of tokens in a text as it was sent."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from model.batch import Ids
from model.text import CHARS_PER_TOKEN
from model.tokenizer import replace_surrogates

Span = tuple[int, int]
"""Start and end in code points of the text as it was sent."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Token ids of a text, those of `model.text.TextEncoder`, and their places in it.

    Attributes:
        ids: int32, one a token.
        spans: one a token; neither starts nor ends go down. Tokens that share a character, such as the bytes of an
            emoji, all have it whole. Only white space lies between spans.
        words: ranges of tokens, in order, that together hold every token once. Words are the pieces of `model.text`:
            a word, a number, a run of punctuation or symbols; "don't" is "do" and "n't". Pieces made of one character,
            as "1", "/" and "2" of "½", are one word. In a run of Chinese characters each token is a word.
        truncated: whether the end of the text was cut off.
    """

    ids: Ids
    spans: list[Span]
    words: list[range]
    truncated: bool

    @property
    def end(self) -> int:
        """Place in the text where reading ended."""
        return self.spans[-1][1] if self.spans else 0


class Aligner:
    """Tokenises with offsets. Safe to call from several threads."""

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens

    def align(self, text: str) -> Aligned:
        """Tokenises a text with offsets; never fails on any string."""
        cleaned = replace_surrogates(text)
        stripped = cleaned.strip()
        read = stripped[: self._max_tokens * CHARS_PER_TOKEN]
        encoding = self._tokenizer.encode(read, add_special_tokens=False)
        margin = len(cleaned) - len(cleaned.lstrip())
        places = _places(text, len(cleaned))
        limit = self._max_tokens
        found = [(places[margin + start], places[margin + end]) for start, end in encoding.offsets]
        spans = _without_holes(text, found, places[margin + len(read)])[:limit]
        pieces = [-1 if piece is None else piece for piece in encoding.word_ids[:limit]]
        return Aligned(
            ids=np.array(encoding.ids[:limit], dtype=np.int32),
            spans=spans,
            words=list(_words(pieces, spans, text)),
            truncated=len(read) < len(stripped) or len(encoding.ids) > limit,
        )


def _places(text: str, num_cleaned: int) -> range | list[int]:
    """Places in `text` where its cleaned characters begin, and where the last one ends.

    A surrogate pair sent as two code points is one cleaned character.
    """
    if num_cleaned == len(text):
        return range(len(text) + 1)
    places, place = [], 0
    while place < len(text):
        places.append(place)
        paired = "\ud800" <= text[place] <= "\udbff" and "\udc00" <= text[place + 1 : place + 2] <= "\udfff"
        place += 2 if paired else 1
    return [*places, len(text)]


def _without_holes(text: str, spans: list[Span], end: int) -> list[Span]:
    """Gives each character before `end` that no token has, unless it is white space, to the token beside it.

    Such are combining marks, which normalisation makes one with the letter before them: the token has the letter only.
    And characters that nobody sees, which it removes.
    """
    result: list[Span] = []
    last_end = 0
    for start, stop in [*spans, (end, end)]:
        hole = text[last_end:start]
        if hole.strip() and result and (start >= end or not hole[0].isspace()):
            grown = len(hole.rstrip()) if start >= end else len(hole.split()[0])
            _grow(result, last_end + grown)
            hole = hole[grown:]
        start -= len(hole.lstrip())
        last_end = max(stop, last_end)
        result.append((max(start, result[-1][0] if result else 0), last_end))
    return result[:-1]


def _grow(spans: list[Span], grown: int) -> None:
    """Moves the end of the last span, and of those before it that end there too."""
    end = spans[-1][1]
    for i in range(len(spans) - 1, -1, -1):
        if spans[i][1] != end:
            return
        spans[i] = (spans[i][0], grown)


def _words(pieces: list[int], spans: list[Span], text: str) -> Iterator[range]:
    """Runs of tokens of one piece, and each token in Chinese; those that share a character stay together."""
    first = 0
    for i in range(1, len(pieces) + 1):
        if i == len(pieces) or (
            spans[i][0] >= spans[i - 1][1] and (pieces[i] != pieces[i - 1] or _is_han(text[spans[i][0]]))
        ):
            yield range(first, i)
            first = i


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED")
