"""Draws sentences from a language's grammar, as many of each label, and writes them to a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from tables.parquet import write_parquet
from training.data.contrast.grammar import Grammar, Sign
from training.errors import UsageError

GRAMMARS: Mapping[str, Grammar] = {
    "en": Grammar.load("english", capital=True),
    "zh": Grammar.load("chinese", capital=False),
}
LABELS: Mapping[Sign, str] = {"+": "positive", "-": "negative"}

TRIES = 50
"""Draws for each sentence wanted before a grammar is thought to have no more."""


def draw_sentences(grammar: Grammar, count: int, *, seed: int) -> list[tuple[str, str]]:
    """Draws `count` different sentences with labels, in turns positive and negative; the same for the same seed.

    Raises:
        UsageError: the grammar does not have so many.
    """
    rng, found = Random(seed), dict[str, str]()
    for _ in range(TRIES * count):
        sign: Sign = "-" if len(found) % 2 else "+"
        found.setdefault(grammar.sentence(sign, rng), LABELS[sign])
        if len(found) >= count:
            return list(found.items())
    raise UsageError(f"the grammar gives only {len(found):,} different sentences, not {count:,}; lower --count")


def write_sentences(languages: Sequence[str], output: Path, *, count: int, seed: int) -> int:
    """Writes a Parquet file of text and label, `count` sentences a language; returns how many there are."""
    rows = [row for language in languages for row in draw_sentences(GRAMMARS[language], count, seed=seed)]
    write_parquet(output, {"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    return len(rows)
