"""Rows of different lengths as one padded batch.

Shape suffixes: T time steps, B batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, time-major, padded on the right with id 0; the lengths tell what is padding.

    Attributes:
        ids_TB: int64.
        lengths_B: int64, 0 to T.
    """

    ids_TB: Tensor
    lengths_B: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`; does not wait for the copy."""
        return Batch(
            self.ids_TB.to(device, non_blocking=True),
            self.lengths_B.to(device, non_blocking=True),
        )


def pad(rows: Sequence[Ids], *, num_steps: int | None = None) -> Batch:
    """Pads rows to the longest of them, or to `num_steps` if that is more; at least one step.

    >>> pad([np.array([5, 6], dtype=np.int32), np.array([7], dtype=np.int32)]).ids_TB.tolist()
    [[5, 7], [6, 0]]
    """
    lengths_B = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    longest = max(1, num_steps or 0, int(lengths_B.max(initial=0)))
    ids_BT = np.zeros((len(rows), longest), dtype=np.int64)
    inside_BT = np.arange(longest) < lengths_B[:, None]
    if len(rows):
        ids_BT[inside_BT] = np.concatenate(rows)
    return Batch(torch.from_numpy(ids_BT.T.copy()), torch.from_numpy(lengths_B))


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
