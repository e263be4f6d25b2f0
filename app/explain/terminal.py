"""Explanations in a terminal for `python -m app explain`, computed in its own process."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.explain.worker import Explaining, checkpoints
from model.explain.explanation import Explanation, Gates, LayerGates, Options, Part, Unexplained
from model.tokenizer import replace_surrogates

BAR = 16
"""Width of the longest bar in columns."""

GATES = ("forget", "input", "output", "reset", "update", "candidate", "cell", "hidden")


def explained(
    checkpoint: Path, texts: Iterable[str], options: Options, num_threads: int
) -> Iterator[tuple[str, Explanation | Unexplained]]:
    """Explains texts one by one and yields each with its explanation.

    Raises:
        CheckpointError: the folder cannot be used.
        InputError: the label or a unit does not exist.
    """
    explainer: Explaining = checkpoints(num_threads)(checkpoint)
    for text in map(replace_surrogates, texts):
        yield text, explainer.explain([text], options)[0]


def lines_of(text: str, found: Explanation | Unexplained) -> Iterator[str]:
    """Formats the explanation of one text as lines."""
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
    """One bar per word: to the right if it speaks for the label, to the left if against it."""
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
    """One row per token, in the order of the text for both directions."""
    named = [(name, numbers) for name in GATES if (numbers := getattr(gates, name)) is not None]
    column = max((_width(_shown(token.text)) for token in tokens), default=0)
    yield f"  {title}"
    yield f"  {'':{column}}" + "".join(f"{name:>10}" for name, _ in named)
    for place, token in enumerate(tokens):
        yield f"  {_padded(token.text, column)}" + "".join(f"{numbers[place]:10.2f}" for _, numbers in named)


def _shown(text: str) -> str:
    r"""Replaces characters that would control the terminal.

    >>> _shown("a\x1b[2Jb\n")
    'a�[2Jb�'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _padded(text: str, columns: int) -> str:
    shown = _shown(text)
    return shown + " " * (columns - _width(shown))


def _width(text: str) -> int:
    """Width of a text in a terminal, in columns; a Chinese character takes two.

    >>> _width("很good")
    6
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
