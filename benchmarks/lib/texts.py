"""Texts to measure with: those of a file, or made up from a seed where there is no data set."""

import random
from collections.abc import Sequence
from pathlib import Path

from training.data.unlabeled import read_unlabeled

_WORDS = (
    "the film was not a good bad great dull one but I don't think it's worth 10/10 stars really story actors "
    "plot never room hotel book price service quick slow again with of and to in"
)
ENGLISH = _WORDS.split()
CHINESE = "这部电影不是很好看难看喜欢讨厌酒店服务书内容一般非常差价格质量买的了还可以"
EMOJI = ("😀", "👍🏽", "🇨🇳", "👩‍👩‍👧", "❤️", "💩", "🎬", "🤷‍♂️")


def read_texts(path: Path, *, column: str = "text", count: int | None = None) -> list[str]:
    """The texts of a table's column, or the lines of a `.txt` file; `count` of them, taken evenly.

    Raises:
        tables.errors.TableError: the file cannot be read.
    """
    if path.suffix == ".txt":
        texts = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    else:
        texts = read_unlabeled(path, text_column=column)
    return texts if count is None else texts[:: max(1, len(texts) // count)][:count]


def english(rng: random.Random, words: int) -> str:
    """A text of so many words, most of them of one token."""
    return " ".join(rng.choices(ENGLISH, k=words))


def sentences(count: int, rng: random.Random) -> list[str]:
    """English of 5 to 35 words, about as long as SST-2's sentences."""
    return [english(rng, rng.randint(5, 35)) for _ in range(count)]


def of_any_kind(rng: random.Random, max_chars: int) -> str:
    """English, Chinese or emoji of 1 to `max_chars` characters, short ones as often as long ones."""
    length = max(1, round(max_chars ** rng.random()))
    kind: Sequence[str] = rng.choice((ENGLISH, CHINESE, EMOJI))
    joint = " " if kind is ENGLISH else ""
    return joint.join(rng.choices(kind, k=length))[:length]
