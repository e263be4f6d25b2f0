"""The process that explains, with an explainer whose answers can be worked out by hand and whose failures be arranged.

Words are tokens, each speaks for the label by its place, and some do things to the process.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from app.explain.worker import main
from model.errors import CheckpointError, InputError
from model.explain.explanation import (
    Attribution,
    Explanation,
    LabelScore,
    LayerGates,
    Options,
    Part,
    SentenceScore,
    Unexplained,
)
from model.explain.explanation import Gates as Means

VERSION = "0123456789ab"
NUM_UNITS = 4


class FakeExplainer:
    version = VERSION
    max_tokens = 16

    def num_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def explain(self, texts: Sequence[str], options: Options) -> list[Explanation | Unexplained]:
        if any(unit >= NUM_UNITS for unit in options.units or ()):
            raise InputError(f"a unit is from 0 to {NUM_UNITS - 1}")
        return [_explanation(text, options) for text in texts]


def _explanation(text: str, options: Options) -> Explanation:
    words = text.split()
    if "poison" in words:
        raise RuntimeError(f"cannot explain {text}")
    if "fatal" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" in words:
        time.sleep(0.5)
    if "endless" in words:
        time.sleep(60)
    parts = [
        Part(word, 0, len(word), place / 2, 1.0 if options.occlusion else None) for place, word in enumerate(words)
    ]
    return Explanation(
        label=options.label or "positive",
        score=0.75,
        scores=[LabelScore("positive", 0.75), LabelScore("negative", 0.25)],
        tokens=len(words),
        truncated=False,
        attribution=Attribution(1.0, 0.5, 0.0, 32, parts, parts),
        sentences=[SentenceScore(text, 0, len(text), "positive", 0.75)] if options.sentences else None,
        gates=[LayerGates(0, "forward", Means(forget=[0.5] * len(words)))] if options.with_gates else None,
    )


def opened(path: Path) -> FakeExplainer:
    if path.name == "damaged":
        raise CheckpointError(path, "is damaged")
    if path.name == "unforeseen":
        raise RuntimeError("nobody thought of this")
    return FakeExplainer()


if __name__ == "__main__":
    main(sys.argv[1:], opened)
