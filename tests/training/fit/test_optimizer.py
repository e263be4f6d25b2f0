"""RowAdamW against PyTorch's AdamW and SparseAdam; clipping, schedule and average by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from training.fit.optimizer import RowAdamW, average_into, clip_gradients, learning_rate_at


def test_dense_steps_are_adamw() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.empty(4, 3))
    theirs.data.copy_(ours.data)
    mine = RowAdamW([ours], betas=(0.8, 0.95), weight_decay=0.1)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)
    for _ in range(5):
        gradient = torch.randn(4, 3)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step(0.01)
        reference.step()
        torch.testing.assert_close(ours, theirs)
        assert ours.grad is None


def test_vectors_are_not_decayed() -> None:
    bias = nn.Parameter(torch.ones(3))
    optimizer = RowAdamW([bias], betas=(0.9, 0.99), weight_decay=0.5)
    bias.grad = torch.zeros(3)
    optimizer.step(0.1)
    assert torch.equal(bias.detach(), torch.ones(3))


def test_sparse_steps_are_sparse_adam() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Parameter(torch.randn(9, 3)), nn.Parameter(torch.empty(9, 3))
    theirs.data.copy_(ours.data)
    mine = RowAdamW([ours], betas=(0.9, 0.99), weight_decay=0.1)
    reference = torch.optim.SparseAdam([theirs], lr=0.01, betas=(0.9, 0.99))
    for step in range(6):
        ids = torch.tensor([step, 2, 2, 5])
        weights = torch.randn(4, 3)
        for parameter in (ours, theirs):
            parameter.grad = None
            (F.embedding(ids, parameter, sparse=True) * weights).sum().backward()
        mine.step(0.01)
        reference.step()
        torch.testing.assert_close(ours, theirs)


def test_rows_that_no_batch_touched_stay_as_they_are() -> None:
    parameter = nn.Parameter(torch.ones(5, 2))
    optimizer = RowAdamW([parameter], betas=(0.9, 0.99), weight_decay=0.1)
    F.embedding(torch.tensor([1, 3]), parameter, sparse=True).sum().backward()
    optimizer.step(0.1)
    changed = (parameter.detach() != 1).any(dim=1).tolist()
    assert changed == [False, True, False, True, False]


def test_clipping_counts_dense_and_sparse_gradients_together() -> None:
    dense, table = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(4, 1))
    dense.grad = torch.tensor([3.0, 0.0])
    (F.embedding(torch.tensor([2, 2]), table, sparse=True) * 2).sum().backward()  # row 2 gets 4
    assert clip_gradients([dense, table], 2.5) == pytest.approx(5.0)
    assert dense.grad is not None
    assert table.grad is not None
    assert dense.grad.tolist() == pytest.approx([1.5, 0.0])
    assert table.grad.to_dense().flatten().tolist() == pytest.approx([0, 0, 2.0, 0])
    assert clip_gradients([dense, table], 2.6) == pytest.approx(2.5)
    assert dense.grad.tolist() == pytest.approx([1.5, 0.0])


def test_the_rate_rises_and_falls() -> None:
    rates = [learning_rate_at(step, peak=2.0, warmup_steps=10, total_steps=110, floor=0.1) for step in range(111)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == pytest.approx(2.0)
    assert rates[60] == pytest.approx(0.2 + 1.8 * 0.5)
    assert rates[110] == pytest.approx(0.2)
    assert learning_rate_at(500, peak=2.0, warmup_steps=10, total_steps=110) == pytest.approx(0.0)


def test_the_average_moves_by_the_decay() -> None:
    average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.constant_(average.weight, 1.0)
    nn.init.constant_(network.weight, 2.0)
    average_into(average, network, 0.9)
    assert average.weight.item() == pytest.approx(1.1)
    assert network.weight.item() == 2.0
