"""Public sets of sentiment: the sentiment of their labels, and their licences."""

import tomllib
from pathlib import Path
from typing import Literal

from model.config import Frozen

FILE = Path(__file__).with_suffix(".toml")


class SentimentSet(Frozen):
    """Language and licence of one public set.

    Attributes:
        language: of its texts.
        licence: of its texts, as the source states it.
        teaches: false if the licence bars commercial use or is viral, so that nothing that ships may learn from it.
    """

    language: Literal["en", "zh"]
    licence: str
    teaches: bool = True


class SentimentSets(Frozen):
    """Sentiment of labels, and the sets that have them.

    Attributes:
        labels: from `negative`, `neutral` and `positive` to the sets' other names for them, as `map_labels` takes it.
        sets: by the name of their folder.
    """

    labels: dict[str, tuple[str, ...]]
    sets: dict[str, SentimentSet]


SENTIMENT = SentimentSets.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8")))
