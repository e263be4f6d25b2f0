"""Padding and planning."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.batch import pad, plan_batches


def _row(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.int32)


def test_rows_stand_in_columns_with_their_lengths() -> None:
    batch = pad([_row(5, 6, 7), _row(), _row(9)])
    assert batch.ids_TB.tolist() == [[5, 0, 9], [6, 0, 0], [7, 0, 0]]
    assert batch.lengths_B.tolist() == [3, 0, 1]


def test_padding_can_be_longer_but_never_shorter_than_the_text() -> None:
    assert pad([_row(1, 2)], num_steps=5).ids_TB.shape == (5, 1)
    assert pad([_row(1, 2)], num_steps=1).ids_TB.shape == (2, 1)
    assert pad([_row()]).ids_TB.shape == (1, 1)
    assert pad([]).ids_TB.shape == (1, 0)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 200), st.none() | st.integers(1, 10))
def test_every_row_is_in_one_batch_within_the_bounds(lengths: list[int], max_tokens: int, max_rows: int | None) -> None:
    batches = list(plan_batches(np.array(lengths, dtype=np.int64), max_tokens=max_tokens, max_rows=max_rows))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) >= 1
        longest = max(max(lengths[i] for i in batch), 1)
        assert len(batch) == 1 or len(batch) * longest <= max_tokens
        assert max_rows is None or len(batch) <= max_rows


def test_a_batch_is_filled_before_the_next_is_begun() -> None:
    batches = [batch.tolist() for batch in plan_batches(np.array([2, 2, 2, 2, 2]), max_tokens=4)]
    assert batches == [[0, 1], [2, 3], [4]]
    with pytest.raises(StopIteration):
        next(plan_batches(np.array([], dtype=np.int64), max_tokens=4))
