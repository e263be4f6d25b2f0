"""Small labelled files that a tiny network learns in seconds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

WORDS = {"good": ["great", "lovely", "superb"], "bad": ["awful", "dull", "poor"]}
FILLING = ["the", "film", "a", "plot", "of", "actors", "with", "scenes", "and", "music"]

TINY = [
    *("--set", "tokenizer.vocab_size=600"),
    *("--set", "architecture.embedding_dim=12"),
    *("--set", "architecture.hidden_size=8"),
    *("--set", "loop.batch_rows=16"),
    *("--set", "loop.learning_rate=0.02"),
    *("--set", "dropouts.word=0", "--set", "dropouts.pooled=0.3"),
    *("--set", "loop.epochs=5"),
    *("--set", "loop.patience=100"),
    *("--set", "report=false"),
]
"""Settings of a network that learns such a file within seconds."""


def draw_rows(num_rows: int, seed: int) -> list[tuple[str, str]]:
    """Texts of filling and one telling word, and their labels."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(num_rows):
        label = ("good", "bad")[i % 2]
        words = [*rng.choice(FILLING, size=rng.integers(2, 8)), rng.choice(WORDS[label]), f"no{i}"]
        rows.append((" ".join(rng.permutation(words)), label))
    return rows


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `train.csv` (120 rows), `test.csv` (60) and `lists.jsonl` (multi-label); columns text and label."""
    folder = tmp_path_factory.mktemp("reviews")
    for name, rows in (("train.csv", draw_rows(120, 0)), ("test.csv", draw_rows(60, 1))):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    lists = [
        {"text": text, "label": [label, "numbered"] if i % 3 else [label]}
        for i, (text, label) in enumerate(draw_rows(120, 2))
    ]
    (folder / "lists.jsonl").write_text("\n".join(map(json.dumps, lists)), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 60 good and bad texts of one set, and of 60 plain and neutral ones of another; column source."""
    path = tmp_path_factory.mktemp("mixture") / "mixture.csv"
    rows = [(text, label, "two") for text, label in draw_rows(60, 0)]
    rows += [(f"{FILLING[i % 10]} {i}", ("plain", "neutral")[i % 2], "others") for i in range(60)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label", "source"), *rows])
    return path
