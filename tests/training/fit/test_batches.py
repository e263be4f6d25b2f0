"""Every row once an epoch, in another order each time, with little padding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.fit.batches import Lengths, Order, epoch_batches


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200), st.integers(1, 300), st.integers(1, 20))
def test_each_row_once_within_the_bounds(lengths: list[int], max_tokens: int, max_rows: int) -> None:
    array = np.array(lengths)
    batches = epoch_batches(array, max_tokens=max_tokens, max_rows=max_rows, seed=1, epoch=2)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * array[batch].max() <= max_tokens


def padding_share(lengths: Lengths, batches: Order) -> float:
    """Share of the padded tokens that are padding, 0 to 1."""
    padded = sum(len(batch) * max(1, int(lengths[batch].max())) for batch in batches)
    return 1.0 - float(lengths.sum()) / padded


def _as_lists(lengths: np.ndarray, seed: int, epoch: int) -> list[list[int]]:
    return [b.tolist() for b in epoch_batches(lengths, max_tokens=256, max_rows=16, seed=seed, epoch=epoch)]


def test_repeatable_for_a_seed_and_epoch_and_different_for_others() -> None:
    lengths = np.random.default_rng(0).integers(1, 40, 500)
    assert _as_lists(lengths, 0, 0) == _as_lists(lengths, 0, 0)
    assert _as_lists(lengths, 0, 0) != _as_lists(lengths, 0, 1)
    assert _as_lists(lengths, 0, 0) != _as_lists(lengths, 1, 0)


def test_little_is_padding_and_steps_are_not_sorted_by_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 20_000)
    batches = epoch_batches(lengths, max_tokens=2048, max_rows=64, seed=0, epoch=0)
    assert padding_share(lengths, batches) < 0.03
    longest = np.array([lengths[batch].max() for batch in batches])
    assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.2
    shuffled = [np.arange(20_000)[i : i + 64] for i in range(0, 20_000, 64)]
    assert padding_share(lengths, shuffled) > 0.4
