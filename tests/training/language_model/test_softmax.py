"""The cost of a token: by hand, and drawn tokens against the whole vocabulary."""

import itertools
import math

import pytest
import torch

from training.language_model.softmax import drawing_chances, full_cross_entropy, sampled_cross_entropy


def test_a_uniform_model_has_the_log_of_the_vocabulary() -> None:
    losses = full_cross_entropy(torch.randn(3, 2), torch.tensor([0, 4, 6]), torch.zeros(7, 2), torch.zeros(7))
    assert losses.tolist() == pytest.approx([math.log(7)] * 3)


def test_drawn_tokens_by_hand() -> None:
    """Drawn: 1 twice, 2 once. Target 0: (e/Q)_0 / sum; target 1 is there three times."""
    embedding = torch.tensor([[1.0], [2.0], [0.5], [9.0]])
    bias = torch.tensor([0.1, 0.0, 0.0, 0.0])
    chances = torch.tensor([0.5, 0.2, 0.2, 0.1])
    losses = sampled_cross_entropy(
        torch.tensor([[1.0], [1.0]]),
        torch.tensor([0, 1]),
        embedding,
        bias,
        samples_K=torch.tensor([1, 2, 1]),
        log_chances_V=chances.log(),
    )
    weight = [math.exp(1.1) / 0.5, math.exp(2.0) / 0.2, math.exp(0.5) / 0.2]
    assert losses[0].item() == pytest.approx(-math.log(weight[0] / (weight[0] + 2 * weight[1] + weight[2])))
    assert losses[1].item() == pytest.approx(-math.log(3 * weight[1] / (3 * weight[1] + weight[2])))


def test_true_logits_are_the_optimum_also_with_drawn_tokens() -> None:
    """Over all targets (by p) and all draws (by Q) of two tokens the gradient is zero where the logits are log p."""
    p, q = torch.tensor([0.6, 0.3, 0.1]).double(), torch.tensor([0.2, 0.5, 0.3]).double()
    embedding = torch.eye(3).double().requires_grad_()
    loss = torch.zeros(1).double()
    bias = p.log().requires_grad_()
    for target, *drawn in itertools.product(range(3), repeat=3):
        chance = p[target] * q[drawn].prod()
        arguments = torch.zeros(1, 3).double(), torch.tensor([target]), embedding, bias
        loss = loss + chance * sampled_cross_entropy(*arguments, samples_K=torch.tensor(drawn), log_chances_V=q.log())
    (gradient,) = torch.autograd.grad(loss.sum(), bias)
    torch.testing.assert_close(gradient, torch.zeros(3).double(), atol=1e-6, rtol=0)


def test_very_many_drawn_tokens_are_the_full_softmax() -> None:
    torch.manual_seed(0)
    outputs, targets, embedding, bias = torch.randn(5, 4), torch.arange(5), torch.randn(9, 4), torch.randn(9)
    sampled = sampled_cross_entropy(
        outputs, targets, embedding, bias, samples_K=torch.arange(9).repeat(10_000), log_chances_V=torch.zeros(9)
    )
    torch.testing.assert_close(sampled, full_cross_entropy(outputs, targets, embedding, bias), atol=1e-3, rtol=0)


def test_the_gradient_of_the_embedding_has_only_the_rows_that_took_part() -> None:
    embedding = torch.randn(50, 2, requires_grad=True)
    sampled_cross_entropy(
        torch.randn(2, 2), torch.tensor([3, 7]), embedding, torch.zeros(50),
        samples_K=torch.tensor([7, 9, 9]), log_chances_V=torch.zeros(50),
    ).sum().backward()  # fmt: skip
    assert embedding.grad is not None
    assert embedding.grad.is_sparse
    assert embedding.grad.coalesce().indices()[0].tolist() == [3, 7, 9]


def test_frequent_tokens_are_drawn_more_often_and_none_never() -> None:
    chances = drawing_chances(torch.tensor([0, 15, 80]))
    assert chances.tolist() == pytest.approx([c / (1 + 8 + 27) for c in (1, 8, 27)], rel=1e-2)
