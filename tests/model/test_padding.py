"""Rows padded to one length."""

import numpy as np

from model.padding import pad


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
    assert pad([_row(1, 2)], multiple_of=8).ids_TB.shape == (8, 1)
    assert pad([_row(*range(9))], num_steps=2, multiple_of=8).ids_TB.shape == (16, 1)
    assert pad([_row()], multiple_of=8).ids_TB.shape == (8, 1)
    assert pad([]).ids_TB.shape == (1, 0)
