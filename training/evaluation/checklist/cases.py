"""Test cases, and how the templates of a language become cases."""

import itertools
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal, Self, TypeVar

from model.config import Frozen

FOLDER = Path(__file__).parent

Label = Literal["negative", "neutral", "positive"]
Check = Literal["label", "same", "no lower"]
"""`label`: the answer must be the label. `same`: the change must not change the answer. `no lower`: the change must not
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


def draw(groups: Iterable[Sequence[T]], count: int, rng: Random) -> list[T]:
    """Draws `count` items, or all there are: as many from each group as from any other, as far as they last.

    >>> sorted(draw([["a"], ["b", "c", "d", "e"]], 3, Random(0)))[0]
    'a'
    """
    left = [rng.sample(group, len(group)) for group in groups]
    drawn: list[T] = []
    while len(drawn) < count and any(left):
        drawn += [group.pop() for group in left if group]
    return drawn[:count]


class Suite(Frozen):
    """The templates and word lists of a language.

    Attributes:
        language: `en` or `zh`, in front of the name of each capability.
        space: between an opinion and the fact behind it.
        opinions: templates of both labels.
        words: what each slot may be.
        labelled: by capability, templates of each label.
        intensified: templates of a text and a stronger one.
        facts: plain sentences behind an opinion, by the things that they suit, which stand in place of `thing`.
    """

    language: str
    space: str
    opinions: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    labelled: dict[str, dict[Label, tuple[str, ...]]]
    intensified: dict[Label, tuple[tuple[str, str], ...]]
    facts: dict[str, tuple[str, ...]]

    @classmethod
    def load(cls, name: str) -> Self:
        """Reads `name.toml` of this folder."""
        return cls.model_validate(tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")))

    def draw(self, patterns: Iterable[str], count: int, rng: Random) -> list[str]:
        """Draws texts, as many of each pattern as of any other."""
        return draw([list(expand(pattern, self.words)) for pattern in patterns], count, rng)

    def pairs(
        self, name: str, check: Check, texts: Iterable[tuple[str, str]], label: Label | None = None
    ) -> list[Case]:
        """Cases of a text before and after."""
        return [Case(f"{self.language}/{name}", check, pair, label) for pair in texts]

    def changed(
        self, name: str, patterns: Iterable[str], change: Callable[[str, Random], str], count: int, rng: Random
    ) -> list[Case]:
        """Cases whose answer must survive a change of the text."""
        return self.pairs(name, "same", [(text, change(text, rng)) for text in self.draw(patterns, count, rng)])

    def shared_cases(self, count: int, rng: Random) -> list[Case]:
        """Cases of the capabilities that every language has: known labels, intensifiers and added facts."""
        cases = [case for name in self.labelled for case in self._labelled(name, count, rng)]
        for label, both in self.intensified.items():
            groups = [[text.split("|") for text in expand("|".join(pair), self.words)] for pair in both]
            stronger = [(weak, strong) for weak, strong in draw(groups, count // 2, rng)]
            cases += self.pairs("intensifiers", "no lower", stronger, label)
        return cases + self.pairs("added facts", "same", self._with_facts(count, rng))

    def _labelled(self, name: str, count: int, rng: Random) -> Iterator[Case]:
        """Cases whose answer is known, as many of each label as there are of the other."""
        templates = self.labelled[name]
        for label, patterns in templates.items():
            for text in self.draw(patterns, count // len(templates), rng):
                yield Case(f"{self.language}/{name}", "label", (text,), label)

    def _with_facts(self, count: int, rng: Random) -> list[tuple[str, str]]:
        """Opinions, each alone and with a neutral fact behind it."""
        groups = []
        for things, facts in self.facts.items():
            slots = {**self.words, "thing": tuple(things.split())}
            texts = [text for pattern in self.opinions for text in expand(pattern, slots)]
            groups.append([(text, f"{text}{self.space}{fact}") for text in texts for fact in facts])
        return draw(groups, count, rng)
