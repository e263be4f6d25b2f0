"""Answers that were given before: an option for traffic that repeats itself."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from app.contract import Probabilities
from model.text import Encoded

DIGEST_BYTES = 16
"""2^64 texts would have to be asked before two of them are likely to share a digest."""


class Answer(NamedTuple):
    """What a text came to."""

    probabilities: Probabilities
    encoded: Encoded


class ResultCache:
    """The answers to the texts asked last, by a digest of the text: it holds no text. For the event loop only.

    It belongs to one classifier, and so to one version of it.

    Args:
        max_texts: bound of the number of answers; 0 keeps none.
    """

    def __init__(self, max_texts: int) -> None:
        self._max_texts = max_texts
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, texts: Sequence[str]) -> tuple[list[int], list[tuple[int, Answer]]]:
        """Indexes of the texts that have to be computed, and the answers to the others by index."""
        if not self._max_texts:
            return list(range(len(texts))), []
        missing, known = [], []
        for index, text in enumerate(texts):
            digest = _digest(text)
            answer = self._answers.get(digest)
            if answer is None:
                missing.append(index)
            else:
                self._answers.move_to_end(digest)
                known.append((index, answer))
        return missing, known

    def keep(self, answers: Iterable[tuple[str, Answer]]) -> None:
        """Remembers these, and forgets those that were not asked for longest."""
        if not self._max_texts:
            return
        for text, answer in answers:
            self._answers[_digest(text)] = answer
        while len(self._answers) > self._max_texts:
            self._answers.popitem(last=False)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
