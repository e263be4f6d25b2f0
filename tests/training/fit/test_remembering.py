import numpy as np
import pytest
import torch

from training.data.choices import NEVER
from training.fit.objective import CrossEntropy
from training.fit.remembering import LEAST, MEMORY, Remembering, lift_of

LABELS = ("new", "many", "few", "none")
HAD = {"many": 100, "few": 100, "none": 100}


def test_old_labels_count_as_far_as_the_texts_represent_them() -> None:
    counts_C = np.array([50.0, 80.0, 5.0, 0.0])
    lift_C = lift_of(counts_C, LABELS, HAD, "single_label")
    np.testing.assert_allclose(lift_C, [0, 0, np.log(0.1), np.log(LEAST)], rtol=1e-6)
    assert lift_of(counts_C, LABELS, HAD | {"few": 5}, "single_label")[2] == 0  # the network had no more of them
    assert lift_of(counts_C, LABELS, HAD, "multi_label").tolist() == [0, 0, 0, NEVER]
    same = dict.fromkeys(LABELS, 100)
    lift_C = lift_of(counts_C, LABELS, same, "single_label")  # no new label to compare with
    np.testing.assert_allclose(lift_C, [0, 0, 0, np.log(LEAST)], rtol=1e-6)


@pytest.fixture
def loss() -> Remembering:
    labels = CrossEntropy(np.array([0, 0, 1]), device=torch.device("cpu"))
    before_NK = np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]], dtype=np.float32)
    return Remembering(labels, before_NK, np.array([1, 2]), np.array([0.0, 0.0, NEVER], dtype=np.float32))


def test_a_text_says_nothing_of_labels_without_texts_and_old_answers_pull_back(loss: Remembering) -> None:
    rows = np.array([0, 2])
    logits_BC = torch.tensor([[0.0, 1.0, 2.0], [0.0, 3.0, 0.0]], requires_grad=True)
    expected = torch.nn.functional.cross_entropy(logits_BC[:, :2], torch.tensor([0, 1]))
    value = loss(logits_BC, rows)
    torch.testing.assert_close(value, expected)  # answers are as before
    value.backward()
    assert logits_BC.grad is not None
    assert logits_BC.grad[:, 2].tolist() == [0, 0]
    moved_BC = torch.tensor([[0.0, 1.0, 4.0], [0.0, 3.0, 0.0]], requires_grad=True)
    value = loss(moved_BC, rows)
    torch.testing.assert_close(value, expected + MEMORY * 4 / 4)
    value.backward()
    assert moved_BC.grad is not None
    assert moved_BC.grad[0, 2] > 0
