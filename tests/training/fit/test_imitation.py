import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from model.config import Task
from training.errors import UsageError
from training.fit.imitation import DistillConfig, ImitationLoss, cross_entropy, parse_label_map

TEACHER = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0], [1.0, 1.0, 1.0]], dtype=np.float32)
TRUTH = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]], dtype=np.float32)
LABELLED = np.array([True, False, True])
ALLOWED = np.ones((3, 3), dtype=np.bool_)
STUDENT = torch.tensor([[0.3, 0.1, -0.2], [1.0, -1.0, 0.5]])
ROWS = np.array([2, 1])


def loss_of(config: DistillConfig, task: Task = "single_label") -> ImitationLoss:
    return ImitationLoss(TEACHER, TRUTH, (config.hard_share * LABELLED).astype(np.float32), ALLOWED, config, task)


def test_mse_is_worked_out_by_hand() -> None:
    expected = ((0.3 - 1) ** 2 + (0.1 - 1) ** 2 + (-0.2 - 1) ** 2 + 1.0 + 4.0 + 3.5**2) / 6
    assert float(loss_of(DistillConfig())(STUDENT, ROWS)) == pytest.approx(expected)


def test_kl_agrees_with_pytorch() -> None:
    teacher = torch.from_numpy(TEACHER[ROWS])
    for temperature in (1.0, 3.0):
        expected = F.kl_div(
            F.log_softmax(STUDENT / temperature, 1), F.softmax(teacher / temperature, 1), reduction="batchmean"
        )
        loss = loss_of(DistillConfig(loss="kl", temperature=temperature))(STUDENT, ROWS)
        assert float(loss) == pytest.approx(float(expected) * temperature**2, rel=1e-5)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
@pytest.mark.parametrize("loss", ["mse", "kl"])
def test_perfect_imitation_costs_nothing_and_pulls_nowhere(task: Task, loss: str) -> None:
    student = torch.from_numpy(TEACHER[ROWS]).clone().requires_grad_()
    value = loss_of(DistillConfig.model_validate({"loss": loss}), task)(student, ROWS)
    value.backward()
    assert float(value.detach()) == pytest.approx(0, abs=1e-6)
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6


def test_a_label_takes_its_share_of_the_text_that_has_it() -> None:
    # Row 2 is labelled, row 1 is not.
    soft = [float(loss_of(DistillConfig())(STUDENT[[place]], ROWS[[place]])) for place in (0, 1)]
    hard = float(F.cross_entropy(STUDENT[:1], torch.tensor([2])))
    for share in (0.25, 1.0):
        mixed = loss_of(DistillConfig(hard_share=share))(STUDENT, ROWS)
        assert float(mixed) == pytest.approx(((1 - share) * soft[0] + share * hard + soft[1]) / 2)


def test_a_text_counts_by_its_weight() -> None:
    config, weights = DistillConfig(hard_share=0.25), np.array([9.0, 0.5, 1.5], dtype=np.float32)
    each = [float(loss_of(config)(STUDENT[[place]], ROWS[[place]])) for place in (0, 1)]  # of the rows 2 and 1
    weighted = dataclasses.replace(loss_of(config), weights_N=weights)
    assert float(weighted(STUDENT, ROWS)) == pytest.approx((1.5 * each[0] + 0.5 * each[1]) / 2)
    assert float(weighted(STUDENT[[1]], ROWS[[1]])) == pytest.approx(0.5 * each[1])  # no label in the batch


def test_a_label_is_one_of_those_that_its_set_has() -> None:
    allowed = np.array([[True] * 3, [True] * 3, [False, True, True]])
    share = LABELLED.astype(np.float32)
    loss = ImitationLoss(TEACHER, TRUTH, share, allowed, DistillConfig(hard_share=1), "single_label")
    expected = float(F.cross_entropy(STUDENT[:1, 1:], torch.tensor([1])))
    assert float(loss(STUDENT[[0]], ROWS[[0]])) == pytest.approx(expected)
    config = DistillConfig(hard_share=1)
    all_labels = ImitationLoss(TEACHER, TRUTH, share, allowed, config, "single_label", other_labels=1.0)
    expected = float(F.cross_entropy(STUDENT[:1], torch.tensor([2])))
    assert float(all_labels(STUDENT[[0]], ROWS[[0]])) == pytest.approx(expected)


def test_multi_label_cross_entropy_is_the_mean_over_the_labels() -> None:
    [value] = cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), "multi_label")
    assert float(value) == pytest.approx(math.log(2))


@pytest.mark.parametrize("pairs", [("positive",), ("=x",), ("a=",), ("a=1", "a=1")])
def test_malformed_label_maps_are_refused(pairs: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="OURS=TEACHERS"):
        parse_label_map(pairs)
