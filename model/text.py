"""From text to token ids, the same in training and in serving."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.tokenizer import AsciiCutter, ascii_cutter, replace_surrogates

CHARS_PER_TOKEN = 32
"""A text is cut to this many characters for each token allowed before it is tokenised, so that a megabyte costs
no more than a page. English has 4 to 6 characters a token, so the cut is far behind the last token that counts."""

MAX_CACHED = 1 << 17
"""Pieces whose tokens are kept; some 30 MB at most."""


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

    ASCII texts are cut into pieces here and the tokens of each piece are remembered: three times as fast as the
    pipeline, and the same. A checkpoint with a pipeline unlike `build_tokenizer`'s goes without.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer = tokenizer
        self._cutter = ascii_cutter(tokenizer)
        self._known: dict[str, list[int]] = {}

    @property
    def vocab_size(self) -> int:
        """Number of tokens in the vocabulary."""
        return self._tokenizer.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """One `Encoded` a text, in order. Never fails on any string."""
        max_chars = self.max_tokens * CHARS_PER_TOKEN
        cleaned = [replace_surrogates(text).strip() for text in texts]
        return [
            Encoded(
                np.array(ids[: self.max_tokens], dtype=np.int32),
                truncated=len(text) > max_chars or len(ids) > self.max_tokens,
            )
            for text, ids in zip(cleaned, self._ids([text[:max_chars] for text in cleaned]), strict=True)
        ]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if self._cutter is None:
            return self._by_pipeline(texts)
        found = [self._by_piece(text, self._cutter) if text.isascii() else None for text in texts]
        others = iter(self._by_pipeline([text for text, ids in zip(texts, found, strict=True) if ids is None]))
        return [next(others) if ids is None else ids for ids in found]

    def _by_pipeline(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _by_piece(self, text: str, cutter: AsciiCutter) -> list[int] | None:
        """Token ids of an ASCII text; None if it needs the pipeline."""
        known = self._known
        ids: list[int] = []
        pieces = cutter.pieces(text)
        if pieces is None:
            return None
        for piece in pieces:
            of_piece = known.get(piece)
            if of_piece is None:
                if cutter.is_lengthened(piece):
                    return None
                (of_piece,) = self._by_pipeline([piece])
                if len(known) < MAX_CACHED:
                    known[piece] = of_piece
            ids += of_piece
        return ids
