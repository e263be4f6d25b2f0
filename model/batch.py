"""Batches of rows of different lengths: which rows go together.

Shape suffixes: B batch, N rows of all batches.
"""

from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]


def plan_batches(
    lengths: npt.NDArray[np.int64], *, max_tokens: int, max_rows: int | None = None
) -> Iterator[npt.NDArray[np.int64]]:
    """Cuts rows, sorted by length, into batches of at most `max_tokens` padded tokens.

    A row longer than `max_tokens` gets a batch of its own. Yields index arrays, shortest rows first, that together
    hold every row once.

    >>> [b.tolist() for b in plan_batches(np.array([3, 1, 9, 2]), max_tokens=6)]
    [[1, 3], [0], [2]]
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        full = max_rows is not None and end - start == max_rows
        if end == len(order) or full or (end + 1 - start) * max(int(lengths[order[end]]), 1) > max_tokens:
            yield order[start:end]
            start = end


def map_batches(
    compute: Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]],
    lengths_N: npt.NDArray[np.int64],
    *,
    width: int,
    max_tokens: int,
    max_rows: int | None = None,
    dtype: npt.DTypeLike = np.float32,
    share: tuple[int, int] = (0, 1),
) -> npt.NDArray[Any]:
    """Computes numbers [N, width] for any number of rows, batch by batch, in the order of the rows.

    Args:
        compute: from the places [B] of a batch's rows to their numbers [B, width].
        lengths_N: tokens of each row.
        width: numbers per row.
        max_tokens, max_rows: bounds of a batch, as in `plan_batches`.
        dtype: number format of the result.
        share: (i, n) computes only the i-th of every n batches, and leaves the other rows zero.

    >>> map_batches(lambda rows: rows[:, None] * 10, np.array([3, 1, 2]), width=1, max_tokens=4).ravel().tolist()
    [0.0, 10.0, 20.0]
    """
    result = np.zeros((len(lengths_N), width), dtype=dtype)
    for batch in islice(plan_batches(lengths_N, max_tokens=max_tokens, max_rows=max_rows), share[0], None, share[1]):
        result[batch] = compute(batch)
    return result


def lengths_of(rows: Sequence[Sized]) -> npt.NDArray[np.int64]:
    """Length of each row, int64 [N]."""
    return np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
