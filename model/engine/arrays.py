"""Arrays as the CPU engine's kernels want them: aligned, in blocks of 16 units."""

from typing import Any

import numpy as np
import numpy.typing as npt

LANES = 16
GATES = 4

ALIGNMENT = 64
"""Bytes; of a vector."""

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def by_block(values_G: Array) -> Array:
    """Values of gates, H of each, in the order of the kernels: [H / 16, 4, 16]."""
    return aligned(values_G.reshape(GATES, -1, LANES).transpose(1, 0, 2))


def aligned(array: Array) -> Array:
    """A copy whose first byte lies on a multiple of `ALIGNMENT`."""
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array of this shape, not filled, whose first byte lies on a multiple of `ALIGNMENT`."""
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def floats(array: Array) -> Floats:
    """A copy in single precision, row after row."""
    return np.array(array, dtype=np.float32, order="C")
