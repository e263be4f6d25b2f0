from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.training.probe import Labelled, kept, probe, read_set, table


def lengths(texts: Sequence[str]) -> np.ndarray:
    """Vectors that know how many letters a text has, and nothing else."""
    return np.array([[len(text) / 10, 1] for text in texts], dtype=np.float32)


def texts(count: int, seed: int) -> Labelled:
    sizes = np.random.default_rng(seed).integers(1, 20, count)
    return Labelled(["x" * size for size in sizes], np.where(sizes > 9, "long", "short"))


def test_a_probe_learns_what_the_vectors_know() -> None:
    train, validation, scored = texts(200, 0), texts(50, 1), texts(50, 2)
    assert probe(lengths, train, validation, scored) > 0.95
    blind = probe(lambda found: np.ones((len(found), 2), dtype=np.float32), train, validation, scored)
    assert blind < 0.75


@pytest.mark.parametrize("split", ["validation", "test"])
def test_sets_are_drawn_alike_and_test_is_read_whole(tmp_path: Path, split: str) -> None:
    for name, rows in (("train", 30), ("train_sentences", 20), ("validation", 10), ("test", 7)):
        columns = {"text": [f"{name} {row}" for row in range(rows)], "label": ["a"] * rows}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    train, validation, scored = read_set(tmp_path, split, 5, 4)  # type: ignore[arg-type]
    assert (len(train.texts), len(validation.texts)) == (5, 4)
    assert all(text.startswith("train_sentences") for text in train.texts)
    assert train.texts == read_set(tmp_path, "validation", 5, 4)[0].texts
    if split == "validation":
        assert scored is validation
    else:
        assert scored.texts == [f"test {row}" for row in range(7)]


def test_vectors_are_computed_once_for_the_same_texts(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def embedded(found: Sequence[str]) -> np.ndarray:
        asked.append(found)
        return lengths(found)

    for key, found in (("a", ["x"]), ("a", ["x"]), ("b", ["x"]), ("a", ["y"])):
        np.testing.assert_array_equal(kept(tmp_path / "kept", key, embedded, found), lengths(found))
    assert asked == [["x"], ["x"], ["y"]]


def test_the_share_is_of_the_first_encoder() -> None:
    assert table({("subj", "minilm"): 0.8, ("subj", "ours"): 0.76}, "minilm") == [
        "| set | minilm | ours |",
        "| --- | ---: | ---: |",
        "| subj | 80.0 | 76.0 (95.0%) |",
    ]
