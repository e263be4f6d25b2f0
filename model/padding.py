"""Rows of token ids padded to one length, as the tensors of a batch.

Shape suffixes: T time steps, B batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.batch import Ids, lengths_of


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, time-major, padded on the right with id 0; the lengths tell padding from tokens.

    Attributes:
        ids_TB: int64.
        lengths_B: int64, 0 to T.
    """

    ids_TB: Tensor
    lengths_B: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Copies the batch to `device`; does not wait for the copy."""
        return Batch(
            self.ids_TB.to(device, non_blocking=True),
            self.lengths_B.to(device, non_blocking=True),
        )


LENGTH_STEP = 8
"""Fused kernels keep a compiled form for each new shape; lengths that are multiples of this bound the shapes and with
them the memory (pytorch issues 27971 and 32596)."""


def pad(rows: Sequence[Ids], *, num_steps: int = 1, multiple_of: int = 1) -> Batch:
    """Pads rows to the longest of them, or to `num_steps` if that is more, rounded up to `multiple_of` steps.

    >>> pad([np.array([5, 6], dtype=np.int32), np.array([7], dtype=np.int32)]).ids_TB.tolist()
    [[5, 7], [6, 0]]
    """
    lengths_B = lengths_of(rows)
    longest = max(num_steps, int(lengths_B.max(initial=0)))
    longest = -(-longest // multiple_of) * multiple_of
    ids_BT = np.zeros((len(rows), longest), dtype=np.int64)
    inside_BT = np.arange(longest) < lengths_B[:, None]
    if len(rows):
        ids_BT[inside_BT] = np.concatenate(rows)
    return Batch(torch.from_numpy(ids_BT.T.copy()), torch.from_numpy(lengths_B))
