"""From text to token ids, the same in training and in serving."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.native_text import FOR_REFERENCE, TRUNCATED, NativeText
from model.tokenizer import recognise, replace_surrogates

CHARS_PER_TOKEN = 32
"""A text is cut to this many characters for each token allowed before it is tokenised, so that a megabyte costs
no more than a page. English has 4 to 6 characters a token, so the cut is far behind the last token that counts."""


@dataclass(frozen=True, slots=True)
class Encoded:
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
        try:
            return self._encode(texts)
        except UnicodeEncodeError:
            return self._encode([replace_surrogates(text) for text in texts])

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        max_chars = self.max_tokens * CHARS_PER_TOKEN
        cleaned = [text.strip() for text in texts]
        read = [text[:max_chars] for text in cleaned]
        encoded = self._by_pipeline(read) if self._native is None else self._by_library(read, self._native)
        for place, text in enumerate(cleaned):
            if len(text) > max_chars:
                encoded[place] = Encoded(encoded[place].ids, truncated=True)
        return encoded

    def _by_pipeline(self, texts: Sequence[str]) -> list[Encoded]:
        "".join(texts).encode()  # `tokenizers` has no error of its own for a surrogate
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        limit = self.max_tokens
        return [
            Encoded(np.array(encoding.ids[:limit], dtype=np.int32), truncated=len(encoding.ids) > limit)
            for encoding in encodings
        ]

    def _by_library(self, texts: Sequence[str], native: NativeText) -> list[Encoded]:
        rows = native.encode(texts, max_tokens=self.max_tokens)
        ids_T, outcomes = rows.ids_T, rows.outcomes_N.tolist()
        starts = rows.starts_N1.tolist()
        encoded = [
            Encoded(ids_T[starts[i] : starts[i + 1]], outcome == TRUNCATED) for i, outcome in enumerate(outcomes)
        ]
        left = [i for i, outcome in enumerate(outcomes) if outcome == FOR_REFERENCE]
        if left:
            for place, by_pipeline in zip(left, self._by_pipeline([texts[i] for i in left]), strict=True):
                encoded[place] = by_pipeline
        return encoded
