"""Test cases, and how templates become cases."""

import itertools
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Label = Literal["negative", "positive"]
Check = Literal["label", "same", "no lower"]
"""`label`: the answer must be the label. `same`: the change must not flip the answer. `no lower`: the change must not
take the label's probability down.

Source: Ribeiro et al. 2020, section 2.3 (minimum functionality, invariance and directional expectation tests).
"""

Slots = Mapping[str, Sequence[str]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Case:
    """One expectation of a model.

    Attributes:
        capability: what it tests, `en/…` or `zh/…`.
        check: what is expected.
        texts: the text; or for all but `label`, the text before and after a change.
        label: expected; None for `same`, where either is fine.
    """

    capability: str
    check: Check
    texts: tuple[str, ...]
    label: Label | None = None


def expand(pattern: str, slots: Slots) -> Iterator[str]:
    """Fills the pattern with each word of each of its slots; "a" becomes "an" before a vowel.

    >>> list(expand("It was a {good} {thing}.", {"good": ["fine", "awful"], "thing": ["film"], "bad": ["x"]}))
    ['It was a fine film.', 'It was an awful film.']
    """
    names = list(dict.fromkeys(re.findall(r"{(\w+)}", pattern)))
    for words in itertools.product(*(slots[name] for name in names)):
        filled = pattern.format(**dict(zip(names, words, strict=True)))
        yield re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", filled)


def draw(groups: Iterable[Sequence[T]], count: int, rng: random.Random) -> list[T]:
    """Draws `count` items, or all there are: as many from each group as from any other, as far as they last.

    >>> sorted(draw([["a"], ["b", "c", "d", "e"]], 3, random.Random(0)))[0]
    'a'
    """
    left = [rng.sample(group, len(group)) for group in groups]
    drawn: list[T] = []
    while len(drawn) < count and any(left):
        drawn += [group.pop() for group in left if group]
    return drawn[:count]
