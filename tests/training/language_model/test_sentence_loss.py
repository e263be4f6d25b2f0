"""The distance between sentence vectors, by hand."""

import math

import numpy as np
import pytest
import torch

from training.language_model.config import VectorsConfig
from training.language_model.sentence_loss import SentenceLoss, pairwise_difference
from training.language_model.targets import Targets


def targets(vectors: list[list[float]], rows: list[int]) -> Targets:
    matrix = np.array(vectors, dtype=np.float16)
    return Targets("encoder", matrix, np.zeros(matrix.shape[1], dtype=np.float32), np.array(rows))


def loss(*widths: int, pairwise: float = 0.0) -> SentenceLoss:
    """Maps that copy the first numbers of the pooled states."""
    made = SentenceLoss(3, widths, VectorsConfig(pairwise=pairwise))
    with torch.no_grad():
        for projection, width in zip(made.projections, widths, strict=True):
            assert isinstance(projection, torch.nn.Linear)
            projection.weight.copy_(torch.eye(3)[:width])
            projection.bias.zero_()
    return made


POOLED = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [1.0, 1.0, 0.0]])
PLACES = np.array([0, 1, 2])


def test_the_angle_counts_and_not_the_length() -> None:
    same = targets([[5, 0], [0, 0.5], [2, 2]], [0, 1, 2])
    assert loss(2)(POOLED, [same], PLACES).item() == pytest.approx(0, abs=1e-6)
    opposite = targets([[-1, 0], [0, -1], [-1, -1]], [0, 1, 2])
    assert loss(2)(POOLED, [opposite], PLACES).item() == pytest.approx(2)
    one = targets([[1, 1]], [-1, -1, -1, 0])
    assert loss(2)(POOLED[:1], [one], np.array([3])).item() == pytest.approx(1 - math.sqrt(0.5))


def test_a_text_without_a_vector_costs_nothing() -> None:
    some = targets([[0, 1]], [0, -1, -1])
    assert loss(2)(POOLED, [some], PLACES).item() == pytest.approx(1 / 3)
    assert loss(2)(POOLED, [some], np.array([1, 2, 1])).item() == 0


def test_encoders_add_up() -> None:
    first, second = targets([[0, 1]], [0, -1, -1]), targets([[0, 0, 1]], [-1, 0, -1])
    assert loss(2, 3)(POOLED, [first, second], PLACES).item() == pytest.approx(2 / 3)
    [(ours, theirs), (none, _)] = loss(2, 3).pairs(POOLED[:1], [first, second], PLACES[:1])
    assert (ours.tolist(), theirs.tolist(), len(none)) == ([[1, 0]], [[0, 1]], 0)


def test_the_cosines_of_all_pairs_are_compared() -> None:
    ours = torch.nn.functional.normalize(POOLED[:, :2], dim=1)
    theirs = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    root = math.sqrt(0.5)
    expected = ((0 - 0.6) ** 2 + (root - 0) ** 2 + (root - 0.8) ** 2) / 3
    assert pairwise_difference(ours, theirs).item() == pytest.approx(expected)
    assert pairwise_difference(ours[:1], theirs[:1]).item() == 0
    given = targets(theirs.tolist(), [0, 1, 2])
    distance = 1 - (1 + 0.8 + root) / 3
    assert loss(2, pairwise=2.0)(POOLED, [given], PLACES).item() == pytest.approx(distance + 2 * expected, abs=1e-3)


def test_every_map_gets_a_gradient() -> None:
    made = loss(2, 3, pairwise=1.0)
    made(POOLED, [targets([[0, 1], [1, 3]], [0, 1, -1]), targets([[0, 0, 1]], [-1, 0, -1])], PLACES).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in made.parameters())
