"""Folders of tiny pre-trainings."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from tests.training.cli.commands import call
from tests.training.conftest import WORDS
from training.data.sentence_vectors import VectorSource, write_vector_file
from training.data.unlabeled import read_unlabeled

SMALL = [
    *("--set", "tokenizer.vocab_size=600"),
    *("--set", "architecture.embedding_dim=12", "--set", "architecture.hidden_size=8"),
    *("--set", "loop.epochs=6", "--set", "loop.batch_rows=8", "--set", "loop.learning_rate=0.02"),
    *("--set", "loop.softmax_samples=32", "--set", "validation_fraction=0.1"),
    *("--seed", 3),
]


@pytest.fixture(scope="session")
def vectors(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of two encoders: one knows some texts of `train.csv`, the other all, by their telling word."""
    folder = tmp_path_factory.mktemp("vectors")
    texts = read_unlabeled(reviews / "train.csv", text_column="text")
    signs = np.array([[1.0 if "good" in draw else -1.0] for draw in map(_mood, texts)])
    for name, rows, width in (("some", texts[:50], 2), ("all", texts, 3)):
        matrix = np.hstack([signs[: len(rows)], np.full((len(rows), width - 1), 0.3)]).astype(np.float16)
        write_vector_file(folder / f"{name}.parquet", rows, matrix, VectorSource(name, name), text_column="text")
    return [folder / "some.parquet", folder / "all.parquet"]


def _mood(text: str) -> str:
    return next(mood for mood, words in WORDS.items() if set(words) & set(text.split()))


def imitate(reviews: Path, vectors: list[Path], output: Path, *more: object, stop_after: int | None = None) -> Result:
    options = [option for path in vectors for option in ("--vectors", path)]
    call_options = (*options, "--output", output, *SMALL, "--set", "loop.epochs=4", *more)
    return call("pretrain", reviews / "train.csv", *call_options, stop_after=stop_after)


@pytest.fixture(scope="session")
def imitating(reviews: Path, vectors: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A finished folder that imitated `vectors`, and what its making printed."""
    output = tmp_path_factory.mktemp("imitating") / "encoder"
    return output, imitate(reviews, vectors, output)
