"""Interface between a classifier and what computes its numbers: an engine, or PyTorch.

Shape suffixes: B texts of a batch, C labels, P pooled states.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.availability import num_threads
from model.batch import Ids
from model.checkpoint import Checkpoint
from model.engine.cpu import Engine

INT8 = "int8"
"""By `model.engine.cpu`: recurrent products of 8-bit integers."""

DTYPES = ("auto", "float32", "bfloat16", INT8)
"""Number formats that can be asked for."""


@dataclass(frozen=True, slots=True)
class Computation:
    """A network that is ready to compute.

    Attributes:
        device, dtype: where and in which number format.
        pads: True if each text of a batch costs as much as the longest one.
        logits: from the token ids of B texts to their logits [B, C]. One thread at a time.
        pooled: the same to the pooled states [B, P] that the head reads; zeros of a text without tokens.
        pads_pooled: as `pads`, for these.
        warm_up: does what would slow the first batches, besides computing some.
    """

    device: str
    dtype: str
    pads: bool
    logits: Callable[[Sequence[Ids]], npt.NDArray[np.float32]]
    pooled: Callable[[Sequence[Ids]], npt.NDArray[np.float32]]
    pads_pooled: bool
    warm_up: Callable[[], object] = lambda: None


def on_cpu_engine(checkpoint: Checkpoint, threads: int | None) -> Computation:
    """The network of a checkpoint by `model.engine.cpu`, which must fit it; on `num_threads()` cores by default."""
    threads = num_threads() if threads is None else threads
    engine = Engine(checkpoint.config.architecture, checkpoint.weights, threads=threads)
    return Computation("cpu", INT8, False, engine.logits, engine.pooled, pads_pooled=False)
