"""`python -m app explain`: explanations for a terminal, computed in this process."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.explain.worker import Explaining, checkpoints
from model.explain.explanation import Explanation, Gates, LayerGates, Options, Part, Unexplained
from model.text import replace_surrogates

BAR = 16
"""Columns of the longest bar."""

GATES = ("forget", "input", "output", "reset", "update", "candidate", "cell", "hidden")


def explained(
    checkpoint: Path, texts: Iterable[str], options: Options, num_threads: int
) -> Iterator[tuple[str, Explanation | Unexplained]]:
    """Each text and why it got its label.

    Raises:
        CheckpointError: the folder cannot be used.
        InputError: there is no such label or unit.
    """
    explainer: Explaining = checkpoints(num_threads)(checkpoint)
    for text in map(replace_surrogates, texts):
        yield text, explainer.explain([text], options)[0]


def lines_of(text: str, found: Explanation | Unexplained) -> Iterator[str]:
    """What is shown of one text."""
    yield _shown(text)
    if isinstance(found, Unexplained):
        yield f"  not explained: {found.error.detail}"
        return
    yield "  " + "   ".join(f"{_shown(score.label)} {score.score:.2%}" for score in found.scores)
    if found.truncated:
        yield f"  only the first {found.tokens} tokens were read"
    attribution = found.attribution
    yield (
        f"  log-odds of {_shown(found.label)}: {attribution.value:+.2f}, {attribution.baseline:+.2f} without any text; "
        f"{attribution.gap:.1%} of the difference is not attributed"
    )
    yield ""
    yield from _words(attribution.words)
    if found.sentences:
        yield ""
        for sentence in found.sentences:
            yield f"  {_shown(sentence.label)} {sentence.score:7.2%}  {_shown(sentence.text)}"
    for layer in found.gates or ():
        yield ""
        yield from _layer(layer, attribution.tokens)


def _words(words: Sequence[Part]) -> Iterator[str]:
    """A bar each: to the right for what speaks for the label, to the left for what speaks against it."""
    column = max((_width(_shown(word.text)) for word in words), default=0)
    longest = max((abs(word.score) for word in words), default=0.0) or 1.0
    for word in words:
        bar = "█" * round(BAR * abs(word.score) / longest)
        sides = f"{'':{BAR}}│{bar}" if word.score >= 0 else f"{bar:>{BAR}}│"
        without = "" if word.occlusion is None else f"{word.occlusion:+7.2f}"
        yield f"  {_padded(word.text, column)} {word.score:+7.2f}{without}  {sides}".rstrip()


def _layer(layer: LayerGates, tokens: Sequence[Part]) -> Iterator[str]:
    yield from _gates(f"layer {layer.layer} {layer.direction}, mean of all units", layer.mean, tokens)
    for unit in layer.units or ():
        yield from _gates(f"layer {layer.layer} {layer.direction}, unit {unit.unit}", unit, tokens)


def _gates(title: str, gates: Gates, tokens: Sequence[Part]) -> Iterator[str]:
    """A row a token, in the order of the text for both directions."""
    named = [(name, numbers) for name in GATES if (numbers := getattr(gates, name)) is not None]
    column = max((_width(_shown(token.text)) for token in tokens), default=0)
    yield f"  {title}"
    yield f"  {'':{column}}" + "".join(f"{name:>10}" for name, _ in named)
    for place, token in enumerate(tokens):
        yield f"  {_padded(token.text, column)}" + "".join(f"{numbers[place]:10.2f}" for _, numbers in named)


def _shown(text: str) -> str:
    r"""Without what would command the terminal.

    >>> _shown("a\x1b[2Jb\n")
    'a�[2Jb�'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _padded(text: str, columns: int) -> str:
    shown = _shown(text)
    return shown + " " * (columns - _width(shown))


def _width(text: str) -> int:
    """Columns that a terminal gives it; a Chinese character takes two.

    >>> _width("很good")
    6
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
