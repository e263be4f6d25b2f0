"""The losses of labelled texts, worked out by hand."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from training.fit.objective import Among, CrossEntropy, balanced_weights, lower_others

CPU = torch.device("cpu")
LOGITS = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
ROWS = np.array([2, 0])


def test_the_rows_choose_the_targets() -> None:
    loss = CrossEntropy(np.array([0, 1, 1]), device=CPU)(LOGITS, ROWS)
    assert float(loss) == pytest.approx((-math.log(3 / 4) - math.log(1 / 2)) / 2)


def test_weights_and_smoothing() -> None:
    weighted = CrossEntropy(np.array([0, 1, 1]), weights_C=np.array([3.0, 1.0]), device=CPU)(LOGITS, ROWS)
    assert float(weighted) == pytest.approx((-math.log(3 / 4) - 3 * math.log(1 / 2)) / 4)
    smoothed = CrossEntropy(np.array([0, 1, 1]), label_smoothing=0.5, device=CPU)(LOGITS, ROWS)
    first = -0.75 * math.log(3 / 4) - 0.25 * math.log(1 / 4)
    assert float(smoothed) == pytest.approx((first - math.log(1 / 2)) / 2)


def test_sets_of_labels_are_a_sigmoid_each() -> None:
    targets = np.array([[1, 0], [0, 0], [0, 1]], dtype=np.float32)
    loss = CrossEntropy(targets, device=CPU)(LOGITS, ROWS)
    assert float(loss) == pytest.approx((3 * math.log(2) - math.log(3 / 4)) / 4)
    weighted = CrossEntropy(targets, weights_C=np.array([1.0, 5.0]), device=CPU)(LOGITS, ROWS)
    assert float(weighted) == pytest.approx((3 * math.log(2) - 5 * math.log(3 / 4)) / 4)


def test_a_text_counts_by_its_weight() -> None:
    weights = np.array([0.5, 9.0, 1.5], dtype=np.float32)  # of the rows 2 and 0: 1.5 and 0.5
    first, second = -math.log(3 / 4), -math.log(1 / 2)
    loss = CrossEntropy(np.array([0, 1, 1]), weights_N=weights, device=CPU)(LOGITS, ROWS)
    assert float(loss) == pytest.approx((1.5 * first + 0.5 * second) / 2)
    both = CrossEntropy(np.array([0, 1, 1]), weights_C=np.array([3.0, 1.0]), weights_N=weights, device=CPU)
    assert float(both(LOGITS, ROWS)) == pytest.approx((1.5 * first + 0.5 * 3 * second) / (1.5 + 0.5 * 3))
    none = CrossEntropy(
        np.array([0, 1, 1]), weights_C=np.ones(2), weights_N=np.array([0, 9, 0], dtype=np.float32), device=CPU
    )
    assert float(none(LOGITS, ROWS)) == 0
    sets = CrossEntropy(np.array([[1, 0], [0, 0], [0, 1]], dtype=np.float32), weights_N=weights, device=CPU)
    assert float(sets(LOGITS, ROWS)) == pytest.approx(
        (1.5 * (math.log(2) - math.log(3 / 4)) / 2 + 0.5 * 2 * math.log(2) / 2) / 2
    )


def test_probabilities_of_exclusive_labels_are_targets_of_a_softmax() -> None:
    soft = np.array([[0.8, 0.2], [0.0, 1.0], [0.3, 0.7]], dtype=np.float32)
    first, second = -0.3 * math.log(1 / 4) - 0.7 * math.log(3 / 4), -math.log(1 / 2)
    loss = CrossEntropy(soft, exclusive=True, device=CPU)(LOGITS, ROWS)
    assert float(loss) == pytest.approx((first + second) / 2)
    hard = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    plain = CrossEntropy(np.array([0, 1, 1]), device=CPU)(LOGITS, ROWS)
    assert float(CrossEntropy(hard, exclusive=True, device=CPU)(LOGITS, ROWS)) == pytest.approx(float(plain))
    weights = np.array([0.5, 9.0, 1.5], dtype=np.float32)
    weighted = CrossEntropy(soft, weights_N=weights, exclusive=True, device=CPU)(LOGITS, ROWS)
    assert float(weighted) == pytest.approx((1.5 * first + 0.5 * second) / 2)
    both = CrossEntropy(soft, weights_C=np.array([3.0, 1.0]), weights_N=weights, exclusive=True, device=CPU)
    of_first = -3 * 0.3 * math.log(1 / 4) - 0.7 * math.log(3 / 4)
    of_second = (3 * 0.8 + 0.2) * math.log(2)
    assert float(both(LOGITS, ROWS)) == pytest.approx((1.5 * of_first + 0.5 * of_second) / 2)


def test_probabilities_count_as_parts_of_a_text_in_balanced_weights() -> None:
    soft = np.array([[0.5, 0.5], [1.0, 0.0]], dtype=np.float32)
    assert balanced_weights(soft, 2, exclusive=True).tolist() == pytest.approx([2 / 3, 2.0])


def test_balanced_weights_make_the_rare_label_count_as_much() -> None:
    assert balanced_weights(np.array([0] * 90 + [1] * 10), 2).tolist() == pytest.approx([100 / 180, 100 / 20])
    assert balanced_weights(np.array([[1, 0], [0, 0], [0, 0], [1, 1]]), 2).tolist() == [1.0, 3.0]


def test_balanced_weights_count_a_text_by_its_weight() -> None:
    """As if each text stood in the file as often as it weighs."""
    weights = np.array([1, 2, 1, 4])
    for targets in (np.array([0, 0, 1, 1]), np.array([[1, 0], [0, 0], [0, 1], [0, 1]])):
        repeated = balanced_weights(targets.repeat(weights, axis=0), 2)
        assert balanced_weights(targets, 2, weights_N=weights / 2).tolist() == pytest.approx(repeated.tolist())


def test_a_text_is_judged_among_the_labels_of_its_set() -> None:
    allowed = np.array([[True, True], [True, True], [False, True]])
    loss = CrossEntropy(np.array([0, 1, 1]), among=Among(allowed), device=CPU)
    logits = torch.tensor([[3.0, 1.0]], requires_grad=True)
    assert float(loss(logits, np.array([1])).detach()) == pytest.approx(math.log(1 + math.exp(2)))
    only = loss(logits, np.array([2]))
    only.backward()
    assert float(only.detach()) == 0
    assert logits.grad is not None
    assert logits.grad[0, 0] == 0


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_a_label_that_the_set_lacks_counts_by_its_weight(weight: float) -> None:
    logits, allowed = torch.tensor([[0.4, 1.3, -0.2]]), torch.tensor([[True, False, True]])
    odds = torch.exp(logits[0]) * torch.tensor([1, weight, 1])
    found = torch.softmax(lower_others(logits, allowed, weight), dim=1)[0]
    assert found.tolist() == pytest.approx((odds / odds.sum()).tolist())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_weight_reaches_the_loss_of_labelled_texts(smoothing: float) -> None:
    logits, allowed = torch.tensor([[0.4, 1.3, -0.2]]), np.array([[True, False, True]])
    every, row = CrossEntropy(np.array([2]), label_smoothing=smoothing, device=CPU), np.array([0])
    losses = [
        float(
            CrossEntropy(np.array([2]), among=Among(allowed, weight), label_smoothing=smoothing, device=CPU)(
                logits, row
            )
        )
        for weight in (0.0, 0.2, 1.0)
    ]
    assert losses == sorted(losses)
    among_two = F.cross_entropy(logits[:, [0, 2]], torch.tensor([1]), label_smoothing=smoothing)
    assert losses[0] == pytest.approx(float(among_two))
    assert losses[2] == pytest.approx(float(every(logits, row)))


@pytest.mark.parametrize("targets", [np.array([2, 0]), np.array([[0.1, 0.2, 0.7], [1, 0, 0]], dtype=np.float32)])
def test_smoothing_over_all_labels_is_that_of_pytorch(targets: npt.NDArray[Any]) -> None:
    logits, weights_C, rows = torch.tensor([[0.4, 1.3, -0.2], [2.0, 0.0, 0.5]]), np.array([1.0, 2.0, 4.0]), np.arange(2)
    ours = CrossEntropy(targets, weights_C=weights_C, label_smoothing=0.3, exclusive=targets.ndim == 2, device=CPU)
    weight = torch.tensor(weights_C, dtype=torch.float32)
    theirs = F.cross_entropy(logits, torch.from_numpy(targets), weight=weight, label_smoothing=0.3)
    assert float(ours(logits, rows)) == pytest.approx(float(theirs))
