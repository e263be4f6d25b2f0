"""Draws sentences from a language's grammar, as many of each label, and writes them to a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from tables.parquet import write_parquet
from training.data.contrast.grammar import Grammar, Sign
from training.data.contrast.surface import Surface, chinese_surface, english_surface
from training.errors import UsageError

GRAMMARS: Mapping[str, Grammar] = {
    "en": Grammar.load("english", capital=True),
    "zh": Grammar.load("chinese", capital=False),
}
SURFACES: Mapping[str, Surface] = {"en": english_surface, "zh": chinese_surface}
LABELS: Mapping[Sign, str] = {"+": "positive", "-": "negative", "": "neutral"}

TRIES = 50
"""Draws for each sentence wanted before a grammar is thought to have no more."""


def as_written(text: str, _: Random) -> str:
    """The surface of a text that is left as the grammar wrote it."""
    return text


def draw_sentences(
    grammar: Grammar, count: int, *, seed: int, signs: Sequence[Sign] = ("+", "-"), surface: Surface = as_written
) -> list[tuple[str, str]]:
    """Draws `count` different sentences with labels, of the signs in turn; the same for the same seed.

    A text that two labels would share keeps its first.

    Raises:
        UsageError: the grammar does not have so many.
    """
    rng, found = Random(seed), dict[str, str]()
    for _ in range(TRIES * count):
        if len(found) >= count:
            break
        sign = signs[len(found) % len(signs)]
        found.setdefault(surface(grammar.sentence(sign, rng), rng), LABELS[sign])
    if len(found) < count:
        raise UsageError(f"the grammar gives only {len(found):,} different sentences, not {count:,}; lower --count")
    return list(found.items())


def draw_language(language: str, *, count: int, neutral: int, seed: int) -> list[tuple[str, str]]:
    """Draws `count` judgements and `neutral` statements without one, no text twice; a judgement's label goes first."""
    grammar, surface = GRAMMARS[language], SURFACES[language]
    judged = draw_sentences(grammar, count, seed=seed, surface=surface)
    facts = draw_sentences(grammar, neutral, seed=seed, signs=("",), surface=surface)
    return list((dict(facts) | dict(judged)).items())


def write_sentences(languages: Sequence[str], output: Path, *, count: int, neutral: int, seed: int) -> int:
    """Writes a Parquet file of text and label, `count` judgements and `neutral` statements without one a language.

    Returns:
        the number of rows.
    """
    rows = [row for language in languages for row in draw_language(language, count=count, neutral=neutral, seed=seed)]
    write_parquet(output, {"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    return len(rows)
