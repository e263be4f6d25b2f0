"""Properties of the tokens of a vocabulary, and the share of a text's tokens that have one.

Shape suffixes: N texts, V tokens of the vocabulary, T tokens of all texts together.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders

from model.tokenizer import END_OF_WORD

Marks = npt.NDArray[np.bool_]

LINE = "Ċ"
"""The byte of a line break, as tokens spell it."""


def pieces_of_characters(tokenizer: Tokenizer) -> Marks:
    """Marks the tokens [V] that are bytes of no whole character.

    The vocabulary has all bytes, so no text is unknown to it; but a script or a sign that was rare in the training
    texts has no tokens of its own and comes in such pieces, of which the model has learned nothing.
    """
    return _mark(tokenizer, lambda characters: "\ufffd" in characters)


def chinese_tokens(tokenizer: Tokenizer) -> Marks:
    """Marks the tokens [V] that hold a Han character."""
    return _mark(tokenizer, lambda characters: any("\u3400" <= character <= "\u9fff" for character in characters))


def _mark(tokenizer: Tokenizer, has: Callable[[str], bool]) -> Marks:
    marks_V = np.zeros(tokenizer.get_vocab_size(), dtype=np.bool_)
    others = [(token, index) for token, index in tokenizer.get_vocab().items() if not token.isascii()]
    decoded = _decoded([token.removesuffix(END_OF_WORD) for token, _ in others])
    for characters, (_, index) in zip(decoded, others, strict=True):
        marks_V[index] = has(characters)
    return marks_V


def _decoded(tokens: list[str]) -> list[str]:
    """Characters of tokens; many at a time, since each call takes longer than what it does."""
    decode = decoders.ByteLevel().decode
    together = iter(decode([LINE.join(token for token in tokens if LINE not in token)]).split("\n"))
    return [decode([token]) if LINE in token else next(together) for token in tokens]


def share_of_tokens(marks_V: Marks, rows: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.float64]:
    """Share [N] of each text's tokens that are marked, 0 to 1; 0 for a text without tokens. N is at least 1.

    >>> rows = [np.array(ids, dtype=np.int32) for ids in ([0, 1], [], [1, 1, 0, 1])]
    >>> share_of_tokens(np.array([False, True]), rows).tolist()
    [0.5, 0.0, 0.75]
    """
    if len(rows) == 1:  # a text that comes alone should not pay for the steps that many share
        (ids_T,) = rows
        return np.array([np.count_nonzero(marks_V.take(ids_T)) / max(len(ids_T), 1)])
    lengths_N = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    ends_N = lengths_N.cumsum()
    until_T = np.zeros(int(ends_N[-1]) + 1, dtype=np.int32)
    marks_V.take(np.concatenate(rows)).cumsum(out=until_T[1:])
    return (until_T[ends_N] - until_T[ends_N - lengths_N]) / np.maximum(lengths_N, 1)  # type: ignore[no-any-return]
