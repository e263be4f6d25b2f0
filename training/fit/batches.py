"""The make-up of the training batches, and their order.

Rows of like length share a batch, so little is padded; a batch is bounded by padded tokens, so each step costs about
the same; the order of the batches is random, so the steps are not sorted by length.
"""

import numpy as np
import numpy.typing as npt

from model.batch import plan_batches

WINDOW_BATCHES = 50
"""Rows are sorted by length inside random windows of about this many batches: large enough that padding is a
few per cent, small enough that the make-up of a batch changes from epoch to epoch."""

Lengths = npt.NDArray[np.int64]
Order = list[npt.NDArray[np.int64]]


def epoch_batches(lengths: Lengths, *, max_tokens: int, max_rows: int, seed: int, epoch: int) -> Order:
    """The batches of one epoch, as index arrays that together hold every row once; the same for the same arguments.

    Args:
        lengths: tokens of each row.
        max_tokens: bound on rows times the longest row of a batch.
        max_rows: bound on rows of a batch.
        seed: of the run.
        epoch: counted from 0.
    """
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(len(lengths))
    mean_rows = min(max_rows, max(1, max_tokens // max(1, int(lengths.mean()))))
    window = max(1, mean_rows * WINDOW_BATCHES)
    batches = [
        part[batch]
        for part in (shuffled[start : start + window] for start in range(0, len(shuffled), window))
        for batch in plan_batches(lengths[part], max_tokens=max_tokens, max_rows=max_rows)
    ]
    return [batches[i] for i in rng.permutation(len(batches))]
