"""Entries of an answer: many texts together get what each would get alone."""

import msgspec
import numpy as np
import pytest

from app.api.rendering import prediction, predictions
from app.api.selection import Selection
from app.core.job import Answer
from model.text import Encoded


@pytest.mark.parametrize("selection", [Selection(), Selection(top_k=2), Selection(top_k=9), Selection(threshold=0.7)])
@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_many_texts_are_rendered_as_each_alone(num_labels: int, selection: Selection) -> None:
    rng = np.random.default_rng(num_labels)
    rows_NC = rng.dirichlet([0.2] * num_labels, 500).astype(np.float32)
    rows_NC[0], rows_NC[1] = 0, 1e-7
    labels = [f"label {place}" for place in range(num_labels)]
    encoded = [Encoded(np.zeros(int(length), dtype=np.int32), bool(length % 2)) for length in rng.integers(0, 9, 500)]
    alone = [prediction(labels, Answer(row, text, row), selection) for row, text in zip(rows_NC, encoded, strict=True)]
    together = predictions(labels, encoded, rows_NC, selection)
    assert together == alone
    assert msgspec.json.encode(together) == msgspec.json.encode(alone)


def test_equal_scores_keep_the_order_of_the_checkpoint() -> None:
    rows_NC = np.array([[0.25, 0.5, 0.25], [1 / 3, 1 / 3, 1 / 3]], dtype=np.float32)
    first, second = predictions(["a", "b", "c"], [Encoded(np.zeros(1, dtype=np.int32))] * 2, rows_NC, Selection())
    assert [score.label for score in first.scores] == ["b", "a", "c"]
    assert [(score.label, score.score) for score in second.scores] == [(name, 0.333333) for name in "abc"]
