"""Cache of answers, an option for traffic that repeats itself."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from app.core.job import Answer

DIGEST_BYTES = 16
"""Bytes of a digest: two of 2^64 texts are likely to share one."""


class ResultCache:
    """Answers to the texts that were sent last, by digest: it holds no text. For the event loop only.

    It belongs to one classifier, and so to one version of it.

    Args:
        max_texts: bound of the number of answers; 0 keeps none.
    """

    def __init__(self, max_texts: int) -> None:
        self._max_texts = max_texts
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def digests(self, texts: Sequence[str]) -> list[bytes]:
        """Digests of the texts; none if nothing is remembered."""
        return [_digest(text) for text in texts] if self._max_texts else []

    def recall(self, digests: Sequence[bytes]) -> tuple[list[int], list[tuple[int, Answer]]]:
        """Indexes of the texts that have to be computed, and the answers to the others by index."""
        missing, known = [], []
        for index, digest in enumerate(digests):
            answer = self._answers.get(digest)
            if answer is None:
                missing.append(index)
            else:
                self._answers.move_to_end(digest)
                known.append((index, answer))
        return missing, known

    def keep(self, digest: bytes, answer: Answer) -> None:
        """Remembers a copy of an answer, and forgets the least recently used one if there are too many.

        The answer itself is rows of the arrays of all texts that were tokenised or computed together, and holds them.
        """
        probabilities, encoded, logits = answer
        ids = encoded.ids.copy()
        self._answers[digest] = Answer(probabilities.copy(), encoded._replace(ids=ids), logits.copy())
        if len(self._answers) > self._max_texts:
            self._answers.popitem(last=False)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
