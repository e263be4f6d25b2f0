"""Cases of plain statements, which a model with the label neutral should call neutral."""

import tomllib
from collections.abc import Mapping
from random import Random

from model.config import Frozen
from training.evaluation.checklist.cases import FOLDER, Case, draw, expand

NUM_FACTS = 250
"""Statements of each language."""


class Statements(Frozen):
    """Statements of a language: templates, and what each slot may be."""

    templates: tuple[str, ...]
    words: dict[str, tuple[str, ...]]


STATEMENTS: Mapping[str, Statements] = {
    language: Statements.model_validate(found)
    for language, found in tomllib.loads((FOLDER / "facts.toml").read_text(encoding="utf-8")).items()
}


def fact_cases(language: str) -> list[Case]:
    """`NUM_FACTS` cases of a language, the same each time, as many of each template as of any other."""
    found = STATEMENTS[language]
    texts = draw([list(expand(pattern, found.words)) for pattern in found.templates], NUM_FACTS, Random(0))
    return [Case(f"{language}/neutral facts", "label", (text,), "neutral") for text in texts]
