"""Clean labelled texts, into which each test plants a defect."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tables.errors import Row
from training.data.dataset import Dataset
from training.data.tokenizer import TokenizerConfig
from training.inspection.material import Material

Rows = list[tuple[str, str]]

SYLLABLES = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve"]


@pytest.fixture
def clean() -> Rows:
    """200 texts of 10 to 15 random words, in which nothing is to be found; every second is `good`, the others `bad`."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(SYLLABLES, size=rng.integers(2, 4))) for _ in range(300)]
    return [(" ".join(rng.choice(words, size=rng.integers(10, 16))), ("good", "bad")[i % 2]) for i in range(200)]


def as_dataset(rows: Rows, name: str = "train.csv", **fields: object) -> Dataset:
    return Dataset(
        path=Path(name),
        task="single_label",
        texts=[text for text, _ in rows],
        labels=[(label,) for _, label in rows],
        rows=[Row(place, place + 1) for place in range(1, len(rows) + 1)],
        text_column="text",
        label_column="label",
        **fields,  # type: ignore[arg-type]
    )


Make = Callable[..., Material]


@pytest.fixture
def material() -> Make:
    """Makes the material of rows; `validation` and `test` are rows of held-out files."""

    def make(rows: Rows, validation: Rows | None = None, test: Rows | None = None, **fields: object) -> Material:
        held_out = {"validation": validation, "test": test}
        return Material(
            "train",
            as_dataset(rows),
            {role: as_dataset(found, f"{role}.csv") for role, found in held_out.items() if found is not None},
            TokenizerConfig(vocab_size=600),
            **fields,  # type: ignore[arg-type]
        )

    return make
