"""Rows are cut into batches, and computed batch by batch."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.batch import lengths_of, map_batches, plan_batches


def _row(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.int32)


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


def test_map_batches_puts_each_row_s_numbers_in_its_place() -> None:
    lengths = np.array([5, 1, 4, 2, 3])
    calls = []

    def compute(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        calls.append(rows.tolist())
        return np.stack([rows, lengths[rows]], axis=1).astype(np.float64)

    found = map_batches(compute, lengths, width=2, max_tokens=6, dtype=np.float64)
    assert found.tolist() == [[0, 5], [1, 1], [2, 4], [3, 2], [4, 3]]
    assert calls == [[1, 3], [4], [2], [0]]
    assert map_batches(compute, lengths[:0], width=2, max_tokens=6).shape == (0, 2)


def test_map_batches_shared_among_processes_adds_up_to_the_whole() -> None:
    lengths = np.array([5, 1, 4, 2, 3])
    parts = [
        map_batches(lambda rows: rows[:, None] + 1, lengths, width=1, max_tokens=6, share=(i, 3)) for i in range(3)
    ]
    assert np.sum(parts, axis=0).ravel().tolist() == [1, 2, 3, 4, 5]
    assert all((part == 0).any() for part in parts)


def test_lengths_of_rows() -> None:
    assert lengths_of([_row(5, 6), _row()]).tolist() == [2, 0]
    assert lengths_of([]).dtype == np.int64
