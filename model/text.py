"""From text to token ids, the same in training and in serving."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.native_text import NativeText, TokenRows
from model.tokenizer import recognise, replace_surrogates

CHARS_PER_TOKEN = 32
"""A text is cut to this many characters for each token allowed before it is tokenised, so that a megabyte costs
no more than a page. English has 4 to 6 characters a token, so the cut is far behind the last token that counts."""


TOGETHER = 1 << 14
"""Texts that are tokenised at once. The ids of more are copied out of an array that has room for an id a byte: of a
million texts, kept for a training, it would take half a gigabyte."""


class Encoded(NamedTuple):
    """Token ids of one text.

    Attributes:
        ids: int32 [num_tokens]; empty for a text without tokens.
        truncated: whether the end of the text was cut off.
    """

    ids: npt.NDArray[np.int32]
    truncated: bool = False

    @property
    def num_tokens(self) -> int:
        """Number of tokens after truncation."""
        return len(self.ids)


def check_texts(texts: Sequence[str]) -> None:
    """Refuses what is no list of texts, where a caller's own values come in.

    Raises:
        TypeError: it is a single text, or a value in it is none; says which.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(f"expected a list of texts, found a single {type(texts).__name__}; write [text] for one text")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{place}]: expected str, found {type(text).__name__}")


class TextEncoder:
    """Turns texts into token ids with a trained tokenizer. Safe to call from several threads.

    `model.native_text` does it where it can, many times as fast as the pipeline and the same.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer = tokenizer
        pipeline = recognise(tokenizer)
        self._native = None if pipeline is None else NativeText.of(tokenizer, pipeline)

    @property
    def vocab_size(self) -> int:
        """Number of tokens in the vocabulary."""
        return self._tokenizer.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """One `Encoded` a text, in order. Never fails on any string."""
        if len(texts) <= TOGETHER:
            return _each(self.encode_together(texts))
        found: list[Encoded] = []
        for rows in self.encode_in_parts(texts):
            found += _each(rows._replace(ids_T=rows.ids_T.copy()))
        return found

    def encode_in_parts(self, texts: Sequence[str]) -> Iterator[TokenRows]:
        """Token ids of all texts in order, those of `TOGETHER` texts at a time. Never fails on any string."""
        for start in range(0, len(texts), TOGETHER):
            yield self.encode_together(texts[start : start + TOGETHER])

    def encode_together(self, texts: Sequence[str]) -> TokenRows:
        """Token ids of all texts in one array. Never fails on any string."""
        try:
            return self._encode(texts)
        except UnicodeEncodeError:
            return self._encode([replace_surrogates(text) for text in texts])

    def _encode(self, texts: Sequence[str]) -> TokenRows:
        max_chars = self.max_tokens * CHARS_PER_TOKEN
        cleaned = list(map(str.strip, texts))
        long = [place for place, text in enumerate(cleaned) if len(text) > max_chars]
        for place in long:
            cleaned[place] = cleaned[place][:max_chars]
        rows = self._by_pipeline(cleaned) if self._native is None else self._by_library(cleaned, self._native)
        if long:
            rows.truncated_N[long] = True
        return rows

    def _by_library(self, texts: Sequence[str], native: NativeText) -> TokenRows:
        """Token ids by the library, and of texts that it leaves by the pipeline."""
        rows, left = native.encode(texts, max_tokens=self.max_tokens)
        if not left:
            return rows
        by_pipeline = self._by_pipeline([texts[place] for place in left])
        ids = rows.split()
        for place, of_text in zip(left, by_pipeline.split(), strict=True):
            ids[place] = of_text
        rows.truncated_N[left] = by_pipeline.truncated_N
        return TokenRows.of(ids, rows.truncated_N)

    def _by_pipeline(self, texts: Sequence[str]) -> TokenRows:
        "".join(texts).encode()  # `tokenizers` has no error of its own for a surrogate
        found = [found.ids for found in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        ids = [np.array(of_text[: self.max_tokens], dtype=np.int32) for of_text in found]
        return TokenRows.of(ids, np.array([len(of_text) > self.max_tokens for of_text in found], dtype=np.bool_))


def _each(rows: TokenRows) -> list[Encoded]:
    return list(map(Encoded, rows.split(), rows.truncated_N.tolist()))
