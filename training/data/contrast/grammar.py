"""A grammar whose symbols carry a sign, positive or negative, and sentences drawn from it."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

Sign = Literal["+", "-", ""]
"""Sign of a judgement; empty for a statement without one."""

Rules = Mapping[str, Sequence[str]]
OPPOSITE: Mapping[Sign, Sign] = {"+": "-", "-": "+", "": ""}
ROOTS: Mapping[Sign, str] = {"+": "TEXT", "-": "TEXT", "": "FACT"}
"""Symbol from which a text of each sign is drawn."""

SYMBOL = re.compile(r"{(\w+)([=~+-]?)}")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
"""Words of one place, `[soup|pie]`, which no other alternative needs by name."""

FOLDER = Path(__file__).parent

MAX_DEPTH = 2
"""Clauses inside clauses; deeper ones are puzzles, not reviews."""


def _alternatives(written: Sequence[str] | Mapping[str, int]) -> Sequence[str]:
    """Lists the alternatives of a symbol, each as often as its weight if they are written with weights."""
    if isinstance(written, Mapping):
        return [alternative for alternative, weight in written.items() for _ in range(weight)]
    return written


def _names(symbols: Iterable[str]) -> set[str]:
    """The symbols without their signs."""
    return {symbol.rstrip("+-") for symbol in symbols}


@dataclass(frozen=True)
class Grammar:
    """The rules of a language, and how its sentences are finished.

    Attributes:
        rules: alternatives of each symbol. Those of `S` serve both signs, those of `S+` and `S-` one. In an alternative
            `{A=}` has the sign of the whole, `{A~}` the opposite one, `{A+}` and `{A-}` their own; `{NP}` has none. Of
            `[a|b]` one of the parts is drawn.
        clause: the symbol that may stand inside itself.
        capital: whether a sentence begins with a capital letter, and "a" becomes "an" before a vowel.
    """

    rules: Rules
    clause: str = "S"
    capital: bool = True

    @classmethod
    def load(cls, language: str, *, capital: bool) -> "Grammar":
        """Loads the grammar of a language: all files below its folder beside this file, each symbol in one of them.

        `S`, `S+` and `S-` are one symbol here, for their alternatives come together.

        A symbol is a list of alternatives, or a table of alternatives and their weights (whole numbers).

        Raises:
            ValueError: a symbol stands in two files.
        """
        rules: dict[str, Sequence[str]] = {}
        for file in sorted((FOLDER / language).rglob("*.toml")):
            found = tomllib.loads(file.read_text(encoding="utf-8"))
            if twice := _names(rules) & _names(found):
                raise ValueError(f"{file.name} repeats symbols of another file: {', '.join(sorted(twice))}")
            rules |= {symbol: _alternatives(written) for symbol, written in found.items()}
        return cls(rules, capital=capital)

    def sentence(self, sign: Sign, rng: Random) -> str:
        """Draws a text of this sign; of none, a plain statement or an even judgement."""
        text = self._expand(ROOTS[sign], sign, rng, MAX_DEPTH)
        if not self.capital:
            return text
        text = re.sub(r"\bi\b", "I", text)
        text = re.sub(r"\b([Aa]) (?=[aeio](?!ne\b)|u(?!s|ni(?!m)))", r"\1n ", text)
        return re.sub(r"(^|[.!?] )([a-z])", lambda found: found[1] + found[2].upper(), text)

    def alternatives(self, symbol: str, sign: str) -> list[str]:
        """Lists the alternatives of a symbol.

        Raises:
            KeyError: nothing may.
        """
        found = [*self.rules.get(symbol, ()), *(self.rules.get(symbol + sign, ()) if sign else ())]
        if not found:
            raise KeyError(symbol + sign)
        return found

    def _expand(self, symbol: str, sign: Sign, rng: Random, depth: int) -> str:
        choices = self.alternatives(symbol, sign)
        if depth == 0:
            choices = [choice for choice in choices if f"{{{self.clause}" not in choice]

        def replace(found: re.Match[str]) -> str:
            inner, mark = found[1], found[2]
            signs: Mapping[str, Sign] = {"": sign, "=": sign, "~": OPPOSITE[sign], "+": "+", "-": "-"}
            return self._expand(inner, signs[mark], rng, depth - (inner == self.clause and symbol == self.clause))

        chosen = CHOICE.sub(lambda found: rng.choice(found[1].split("|")), rng.choice(choices))
        return SYMBOL.sub(replace, chosen)
