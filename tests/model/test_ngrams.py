"""Hashed n-grams: the same buckets everywhere, each n-gram of the text once, nothing of the padding."""

import numpy as np
import pytest
import torch

from model.ngrams import MULTIPLIER, NgramBag, buckets_of
from model.padding import pad


def _bucket(ids: list[int], num_buckets: int) -> int:
    """In Python's unbounded integers, wrapped by hand."""
    key = 0
    for token in ids:
        key = (key + token + 1) * MULTIPLIER
        key = (key + 2**63) % 2**64 - 2**63
    return (key >> 20) % num_buckets


def _rows(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 500, length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_buckets_are_those_of_wrapping_arithmetic(order: int) -> None:
    (row,) = _rows(9)
    ids_TB = torch.as_tensor(row, dtype=torch.long).unsqueeze(1)
    wanted = [_bucket(row[i : i + order].tolist(), 4096) for i in range(9 - order + 1)]
    assert buckets_of(ids_TB, order, 4096).flatten().tolist() == wanted


def test_order_matters_and_buckets_spread() -> None:
    pairs = torch.tensor([[1, 2], [2, 1]])
    first, second = buckets_of(pairs, 2, 2**20)[0].tolist()
    assert first != second
    grid = torch.cartesian_prod(torch.arange(100), torch.arange(100)).T
    assert buckets_of(grid, 2, 2**20).unique().numel() > 9_900


@pytest.mark.parametrize("order", [1, 2, 3])
def test_logits_are_the_sum_over_the_distinct_n_grams_of_the_text_over_the_root_of_their_number(order: int) -> None:
    torch.manual_seed(0)
    bag = NgramBag(64, order, 3)
    bag.table.copy_(torch.randn(64, 3))
    rows = [*_rows(7, 0, 1, 2), np.array([5, 5, 5, 5], dtype=np.int32)]
    batch = pad(rows, num_steps=12)
    for row, ours in zip(rows, bag(batch.ids_TB, batch.lengths_B), strict=True):
        grams = [row[i : i + n].tolist() for n in range(1, order + 1) for i in range(len(row) - n + 1)]
        places = {_bucket(gram, 64) for gram in grams}
        wanted = sum((bag.table[place] for place in places), torch.zeros(3)) / max(len(places), 1) ** 0.5
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


def test_a_text_gives_the_same_alone_and_padded() -> None:
    torch.manual_seed(0)
    bag = NgramBag(1000, 3, 2)
    bag.table.copy_(torch.randn(1000, 2))
    rows = _rows(3, 9, 30)
    together = pad(rows, num_steps=40)
    alone = [pad([row]) for row in rows]
    torch.testing.assert_close(
        bag(together.ids_TB, together.lengths_B),
        torch.cat([bag(one.ids_TB, one.lengths_B) for one in alone]),
        atol=1e-6,
        rtol=1e-6,
    )


def test_no_gradient_and_zero_until_fitted() -> None:
    bag = NgramBag(1000, 2, 2).train()
    batch = pad(_rows(5, 8))
    logits = bag(batch.ids_TB, batch.lengths_B)
    assert not logits.requires_grad
    assert logits.abs().sum() == 0
