from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from model.classifier import Classifier
from model.vectors import Vectors, embed
from tables.errors import Row
from training.data.dataset import Dataset
from training.evaluation.neighbours import nearest

Give = Callable[[Sequence[str]], Vectors]

TEXTS = ["a good film", "", "难看的电影", "a bad and boring film " * 20, "a good film", "10/10 😀", "don't miss it!"]


@pytest.fixture(scope="module")
def vectors(tiny_checkpoint: Path) -> Give:
    return partial(embed, Classifier.load(tiny_checkpoint, device="cpu"))


def dataset(texts: list[str]) -> Dataset:
    rows = [Row(i + 1) for i in range(len(texts))]
    return Dataset(Path("x.csv"), "single_label", texts, [(f"label{i}",) for i in range(len(texts))], rows, "t", "l")


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
@pytest.mark.parametrize("count", [1, 3, 100])
def test_the_nearest_are_those_of_all_cosines_at_once_whatever_the_chunks(
    vectors: Give, chunk: int, count: int
) -> None:
    asked = ["a good film", "好看的电影", ""]
    found = nearest(vectors, asked, dataset(TEXTS), count=count, chunk=chunk)
    cosines_QN = vectors(asked) @ vectors(TEXTS).T
    assert [len(neighbours) for neighbours in found] == [min(count, len(TEXTS))] * 3
    for cosines_N, neighbours in zip(cosines_QN, found, strict=True):
        wanted = -np.sort(-cosines_N)[:count]
        np.testing.assert_allclose([neighbour.similarity for neighbour in neighbours], wanted, atol=1e-5)
        for neighbour in neighbours:
            place = neighbour.row.number - 1
            assert neighbour.similarity == pytest.approx(float(cosines_N[place]), abs=1e-5)
            assert (neighbour.text, neighbour.labels) == (TEXTS[place], (f"label{place}",))


def test_the_text_itself_comes_first_and_of_equals_the_earlier_row(vectors: Give) -> None:
    (neighbours,) = nearest(vectors, ["a good film"], dataset(TEXTS), count=2)
    assert [neighbour.row.number for neighbour in neighbours] == [1, 5]
    assert neighbours[0].similarity == pytest.approx(1, abs=1e-5)


def test_an_empty_text_is_near_to_nothing(vectors: Give) -> None:
    (neighbours,) = nearest(vectors, [""], dataset(TEXTS))
    assert [neighbour.similarity for neighbour in neighbours] == [0, 0, 0]
