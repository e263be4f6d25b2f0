"""Test cases, and how templates become cases."""

import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Label = Literal["negative", "positive"]
Check = Literal["label", "same", "no lower"]
"""`label`: the answer must be the label. `same`: the change must not flip the answer. `no lower`: the change must not
take the label's probability down.

Source: Ribeiro et al. 2020, section 2.3 (minimum functionality, invariance and directional expectation tests).
"""

Slots = Mapping[str, Sequence[str]]
Templates = dict[Label, tuple[str, ...]]
Pairs = dict[Label, tuple[tuple[str, str], ...]]
"""Templates of a text before and after a change."""

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


def labelled(capability: str, templates: Templates, words: Slots, count: int, rng: random.Random) -> list[Case]:
    """Cases whose answer is known, as many of each label as there are of the other."""
    per_label = count // len(templates)
    cases = []
    for label, patterns in templates.items():
        texts = draw([list(expand(pattern, words)) for pattern in patterns], per_label, rng)
        cases += [Case(capability, "label", (text,), label) for text in texts]
    return cases


def changed(
    capability: str,
    patterns: Sequence[str],
    words: Slots,
    change: Callable[[str, random.Random], str],
    count: int,
    rng: random.Random,
) -> list[Case]:
    """Cases whose answer must survive a change of the text."""
    texts = draw([list(expand(pattern, words)) for pattern in patterns], count, rng)
    return pairs(capability, "same", ((text, change(text, rng)) for text in texts))


def pairs(capability: str, check: Check, texts: Iterator[tuple[str, str]], label: Label | None = None) -> list[Case]:
    """Cases of a text before and after."""
    return [Case(capability, check, pair, label) for pair in texts]


def strengthened(capability: str, templates: Pairs, words: Slots, count: int, rng: random.Random) -> list[Case]:
    """Cases of a text and a stronger one, which must not take the label's probability down."""
    cases = []
    for label, both in templates.items():
        texts = [[text.split("|") for text in expand("|".join(pair), words)] for pair in both]
        drawn = draw([[(weak, strong) for weak, strong in group] for group in texts], count // 2, rng)
        cases += pairs(capability, "no lower", iter(drawn), label)
    return cases


def with_facts(
    capability: str,
    opinions: Sequence[str],
    facts: Mapping[str, Sequence[str]],
    words: Slots,
    space: str,
    count: int,
    rng: random.Random,
) -> list[Case]:
    """Cases of a text and the same with a neutral fact behind it; `facts` is keyed by the things that they suit."""
    groups = []
    for things, sentences in facts.items():
        slots = {**words, "thing": things.split()}
        texts = [text for pattern in opinions for text in expand(pattern, slots)]
        groups.append([(text, f"{text}{space}{fact}") for text in texts for fact in sentences])
    return pairs(capability, "same", iter(draw(groups, count, rng)))
