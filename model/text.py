"""Tokenisation: from text to token ids, the same in training and in serving.

One `tokenizers` pipeline, stored whole in the checkpoint:

1. Unicode NFKC, lower case (on request), typographic apostrophes made plain.
2. Split: white space away; each Chinese character by itself; words, numbers and runs of punctuation or symbols
   apart; English contractions as in the Penn Treebank ("don't" -> "do", "n't"), so that raw and tokenised text agree.
3. Bytes, then byte-pair encoding inside each piece. All 256 bytes are in the vocabulary: no input is unknown.

There are no special tokens, so nothing that a user types can collide with one.

Source: Sennrich et al. 2016 (byte-pair encoding); Radford et al. 2019 (over bytes).
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

END_OF_WORD = "</w>"
"""Suffix of a token that ends a piece."""

MAX_PIECE_CHARS = 64
"""Longer words are cut into runs of this many characters; bounds the cost of byte-pair encoding."""

CHARS_PER_TOKEN = 32
"""A text is cut to this many characters for each token allowed before it is tokenised, so that a megabyte costs
no more than a page. English has 4 to 6 characters a token, so the cut is far behind the last token that counts."""

PIECE = (
    r"n't(?!\p{L})"
    r"|'(?:s|re|ve|ll|m|d)(?!\p{L})"
    r"|\p{Han}"
    rf"|(?:(?!n't(?!\p{{L}})|\p{{Han}})[\p{{L}}\p{{M}}]){{1,{MAX_PIECE_CHARS}}}"
    r"|\p{N}{1,16}"
    r"|[^\s\p{L}\p{M}\p{N}]{1,16}"
)


ASCII_PIECE = re.compile(
    r"n't(?![a-z])"
    r"|'(?:s|re|ve|ll|m|d)(?![a-z])"
    rf"|[a-z]{{1,{MAX_PIECE_CHARS}}}(?=n't(?![a-z]))"
    rf"|[a-z]{{1,{MAX_PIECE_CHARS}}}"
    r"|[0-9]{1,16}"
    r"|[^\sa-z0-9]{1,16}",
    re.ASCII,
)
"""`PIECE` for lower-case ASCII; `tests/model/test_text.py` holds the two together."""

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


def build_tokenizer(*, lowercase: bool = True) -> Tokenizer:
    """Builds the pipeline with an empty vocabulary, which `train_vocabulary` fills."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    steps: list[Any] = [normalizers.NFKC(), normalizers.Replace("\u2019", "'")]
    tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Lowercase()] * lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def train_vocabulary(tokenizer: Tokenizer, texts: Iterable[str], *, vocab_size: int, min_frequency: int) -> Tokenizer:
    """Learns the merges from `texts`; the same texts give the same vocabulary, id for id.

    Args:
        tokenizer: an untrained pipeline; it is not changed.
        texts: the training texts only.
        vocab_size: upper bound on tokens; at least 512, the 256 bytes inside and at the end of a piece.
        min_frequency: pairs seen less often are not merged.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        initial_alphabet=alphabet,
        # Named here so that all of them exist and have fixed ids: left to itself the trainer keeps only those that it
        # met, numbered in an order that changes from run to run, and ties between merges fall by number.
        special_tokens=[byte + END_OF_WORD for byte in alphabet],
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    learned = Tokenizer.from_str(tokenizer.to_str())
    learned.train_from_iterator((replace_surrogates(text) for text in texts), trainer)
    state = json.loads(learned.to_str())
    state["added_tokens"] = []  # They are plain vocabulary: text that spells one must not become it.
    return Tokenizer.from_str(json.dumps(state))


def replace_surrogates(text: str) -> str:
    r"""Replaces lone surrogates, which are not Unicode text, by U+FFFD as the Unicode standard advises.

    >>> replace_surrogates("good \ud800 film") == "good \ufffd film"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class TextEncoder:
    """Turns texts into token ids with a trained tokenizer. Safe to call from several threads.

    ASCII texts are cut into pieces here and the tokens of each piece are remembered: three times as fast as the
    pipeline, and the same. A checkpoint with a pipeline unlike `build_tokenizer`'s goes without.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] | None = {} if _is_lower_case_pipeline(tokenizer) else None

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
        if self._known is None:
            return self._by_pipeline(texts)
        found = [self._by_piece(text, self._known) if text.isascii() else None for text in texts]
        others = iter(self._by_pipeline([text for text, ids in zip(texts, found, strict=True) if ids is None]))
        return [next(others) if ids is None else ids for ids in found]

    def _by_pipeline(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _by_piece(self, text: str, known: dict[str, list[int]]) -> list[int]:
        pieces = ASCII_PIECE.findall(text.lower())
        ids: list[int] = []
        for piece in pieces:
            of_piece = known.get(piece)
            if of_piece is None:
                (of_piece,) = self._by_pipeline([piece])
                if len(known) < MAX_CACHED:
                    known[piece] = of_piece
            ids += of_piece
        return ids


def _is_lower_case_pipeline(tokenizer: Tokenizer) -> bool:
    """True if all but the vocabulary is as `build_tokenizer(lowercase=True)` makes it."""
    return _pipeline(tokenizer) == _pipeline(build_tokenizer(lowercase=True))


def _pipeline(tokenizer: Tokenizer) -> list[Any]:
    """All parts but the vocabulary, which takes a tenth of a second to write out while the interpreter is held."""
    parts = [tokenizer.normalizer, tokenizer.pre_tokenizer]
    model = tokenizer.model
    return [
        *(None if part is None else part.__getstate__() for part in parts),
        tokenizer.get_added_tokens_decoder(),
        tokenizer.truncation,
        tokenizer.padding,
        type(model),
        *(getattr(model, name, None) for name in ("end_of_word_suffix", "dropout", "unk_token")),
    ]
