"""Probabilities of labels from the log-probabilities of an answer's tokens.

The rule: at the first token of the label in the answer each label gets the probability of those alternatives that it
could begin with. An alternative with which several labels could begin is shared among them equally; but where it is the
token that was answered, the next token decides, times the probability so far, until one label is left. A label that no
alternative begins is less probable than the least of them: it gets an equal part of what they leave of 1, if that is
less. What no label begins with, or what ends before the label, is left out, and the rest is scaled to sum to 1, at each
token by itself: many servers give the probabilities before a schema rules tokens out.

Everything is compared as bytes, since a token may be a part of a character.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 1e-6
"""A label's probability before scaling, at the least; log-probabilities stay finite."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer.

    Attributes:
        content: its bytes.
        alternatives: bytes and probability (0 to 1) of the most probable tokens in its place, itself among them.
    """

    content: bytes
    alternatives: tuple[tuple[bytes, float], ...]


def log_probabilities(
    tokens: Sequence[Token], answer: str, start: int, labels: Sequence[str]
) -> tuple[float, ...] | None:
    """Logarithms of the labels' probabilities, one a label, by the rule above.

    Args:
        tokens: of the answer, perhaps after tokens of thoughts that are not part of it.
        answer: a JSON object.
        start: place in `answer` of a label's first character, behind its quotation mark.
        labels: to choose from.

    Returns:
        None if the tokens are not those of the answer, or lead to no label.
    """
    whole = b"".join(token.content for token in tokens)
    begins = whole.rfind(answer.encode())
    if begins < 0:
        return None
    left = begins + len(answer[:start].encode())
    walk = _Walk([json.dumps(label, ensure_ascii=False)[1:].encode() for label in labels])
    for token in tokens:
        if left >= len(token.content):
            left -= len(token.content)
            continue
        if walk.step(token, head=token.content[:left]):
            return walk.result()
        left = 0
    return None


class _Walk:
    """Follows an answer's tokens until one label is left.

    Args:
        spelled: the labels as they stand in JSON, with the closing quotation mark.
    """

    def __init__(self, spelled: Sequence[bytes]) -> None:
        self._spelled = spelled
        self._masses = [0.0] * len(spelled)
        self._alive = list(range(len(spelled)))
        self._so_far, self._mass = b"", 1.0

    def step(self, token: Token, *, head: bytes) -> bool:
        """Shares out the alternatives of a token, whose first bytes are before the label; true at the last token."""
        chosen, shares = 0.0, list[tuple[list[int], float]]()
        for content, probability in token.alternatives:
            begins = content.startswith(head) and len(content) > len(head)  # a special token may have no bytes
            fits = self._fits(self._so_far + content[len(head) :]) if begins else []
            if content == token.content:
                chosen = probability
            elif fits:
                shares.append((fits, probability))
        left = self._fits(self._so_far + token.content[len(head) :])
        seen = {label for fits, _ in shares for label in fits}.union(left)
        if unseen := [label for label in self._alive if label not in seen]:
            rest = max(0.0, 1.0 - sum(probability for _, probability in token.alternatives))
            least = min(probability for _, probability in token.alternatives)
            shares.append((unseen, min(rest, least * len(unseen))))
        total = chosen + math.fsum(probability for _, probability in shares) or 1.0
        for fits, probability in shares:
            self._share(fits, probability / total)
        self._mass *= chosen / total
        self._so_far += token.content[len(head) :]
        self._alive = left
        if len(left) <= 1:
            self._share(left, 1.0)
        return len(left) <= 1

    def result(self) -> tuple[float, ...] | None:
        """Logarithms of the scaled probabilities; None if the answer led to no label."""
        if not self._alive:
            return None
        masses = [max(mass, LEAST) for mass in self._masses]
        return tuple(math.log(mass / math.fsum(masses)) for mass in masses)

    def _fits(self, start: bytes) -> list[int]:
        """The labels that begin so, or are the beginning."""
        return [
            label
            for label in self._alive
            if self._spelled[label].startswith(start) or start.startswith(self._spelled[label])
        ]

    def _share(self, labels: Sequence[int], probability: float) -> None:
        for label in labels:
            self._masses[label] += self._mass * probability / len(labels)
