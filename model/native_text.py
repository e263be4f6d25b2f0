"""Texts to token ids in C++ (`engine/native/text.cpp`), without the interpreter lock.

It does as the pipelines of `model.tokenizer` in lower case do, on text whose normal form can be told character by
character: English, Chinese, and most else as people type it. Other texts it leaves to the reference, `tokenizers`.

Shape suffixes: N texts, T tokens of all texts together.
"""

import ctypes
import json
import weakref
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model.library import LIBRARY
from model.tokenizer import Pipeline

VERSION = 2
"""Of the functions in the library; one built from other sources is not used."""

CLEANS, CHINESE_WORDS = 1, 2
"""Options of `engine/native/text.cpp`."""

TRUNCATED, FOR_REFERENCE = 1, 2
"""Outcomes of a text, beside 0."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Loads the library, if it has been built from these sources."""
    try:
        found = ctypes.CDLL(str(LIBRARY))
        if found.sluice_text_version() != VERSION:
            return None
    except (OSError, AttributeError):
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    found.sluice_text_open.argtypes = [pointer, pointer, number, pointer, number, ctypes.c_int32]
    found.sluice_text_open.restype = pointer
    found.sluice_text_close.argtypes = [pointer]
    found.sluice_text_close.restype = None
    found.sluice_text_encode.argtypes = [
        pointer, ctypes.c_char_p, number, pointer, number, number, pointer, pointer, pointer
    ]  # fmt: skip
    return found


class TokenRows(NamedTuple):
    """Token ids of many texts.

    Attributes:
        ids_T: int32; all texts' one after another.
        starts_N1: int64 [N + 1]; where each text's begin, and where the last one's end.
        truncated_N: True for a text whose end was cut off.
    """

    ids_T: npt.NDArray[np.int32]
    starts_N1: npt.NDArray[np.int64]
    truncated_N: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, ids: Sequence[npt.NDArray[np.int32]], truncated_N: npt.NDArray[np.bool_]) -> "TokenRows":
        """Puts the ids of several texts together."""
        starts_N1 = np.zeros(len(ids) + 1, dtype=np.int64)
        np.cumsum([len(of_text) for of_text in ids], out=starts_N1[1:])
        return cls(np.concatenate([np.empty(0, dtype=np.int32), *ids]), starts_N1, truncated_N)

    def split(self) -> list[npt.NDArray[np.int32]]:
        """Ids of each text, as views."""
        ids_T = self.ids_T
        return [ids_T[start:end] for start, end in pairwise(self.starts_N1.tolist())]


class NativeText:
    """A pipeline with its vocabulary, in the form that the library reads. Safe to call from several threads."""

    def __init__(self, found: ctypes.CDLL, handle: int) -> None:
        self._encode = found.sluice_text_encode
        self._handle = handle
        weakref.finalize(self, found.sluice_text_close, handle)

    @classmethod
    def of(cls, tokenizer: Tokenizer, pipeline: Pipeline) -> "NativeText | None":
        """Makes the native form; None without the library, or if the merges are not as `train_vocabulary` makes them.

        Args:
            tokenizer: one of `pipeline`.
            pipeline: what it does.
        """
        found = library()
        if found is None:
            return None
        model = json.loads(tokenizer.to_str())["model"]
        ids: dict[str, int] = model["vocab"]
        tokens = sorted(ids, key=ids.__getitem__)
        pieces = [token.encode() for token in tokens]
        starts = array("q", accumulate(map(len, pieces), initial=0))
        merges = np.fromiter(map(ids.__getitem__, chain.from_iterable(model["merges"])), dtype=np.int32)
        options = CLEANS * pipeline.cleans | CHINESE_WORDS * pipeline.chinese_words
        handle = found.sluice_text_open(
            b"".join(pieces), starts.buffer_info()[0], len(pieces), merges.ctypes.data, len(merges) // 2, options
        )
        return cls(found, handle) if handle else None

    def encode(self, texts: Sequence[str], *, max_tokens: int) -> tuple[TokenRows, list[int]]:
        """Token ids of texts, at most `max_tokens` of each; and places of texts without ids, for the reference to do.

        Raises:
            UnicodeEncodeError: a text holds a surrogate.
            MemoryError: there is no memory.
        """
        num_texts = len(texts)
        utf8 = "".join(texts).encode()
        lengths = array("q", map(len, texts))
        # Plain arrays where NumPy's would take a microsecond to give their address: a text alone takes three in all.
        numbers = array("q", bytes(8 * (2 * num_texts + 1)))
        ids_T = np.empty(len(utf8) + 1, dtype=np.int32)
        place, (starts, _) = ctypes.addressof(ctypes.c_char.from_buffer(ids_T.data)), numbers.buffer_info()
        outcomes = starts + 8 * (num_texts + 1)
        given = (utf8, len(utf8), lengths.buffer_info()[0], num_texts, max_tokens)
        found = self._encode(self._handle, *given, place, starts, outcomes)
        if found < 0:
            raise MemoryError("no memory to tokenise")
        numbers_M = np.frombuffer(numbers, dtype=np.int64)
        starts_N1, outcomes_N = numbers_M[: num_texts + 1], numbers_M[num_texts + 1 :]
        truncated_N = outcomes_N == TRUNCATED if found & TRUNCATED else np.zeros(num_texts, dtype=np.bool_)
        left = (outcomes_N == FOR_REFERENCE).nonzero()[0].tolist() if found & FOR_REFERENCE else []
        return TokenRows(ids_T[: starts_N1[-1]], starts_N1, truncated_N), left
