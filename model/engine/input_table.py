"""Table of what each token adds to the gates, as the CPU engine's kernels look it up.

A value is a byte times a step, one for 16 units of a gate of a token, a whole number of 2^-11: 17
bytes where half precision would take 32. Gates are clipped at 15.8, that of the cell's input, of
which the table holds twice as much, at 7.9.

Shape suffixes: V vocabulary, E embedding, G = 4 * H, B = H / 16 blocks of units.
"""

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from model.engine.arrays import GATES, LANES, Array, Floats, aligned_empty
from model.library import LIBRARY

INPUT_UNITS = 2.0**11 * np.array([1.0, 1.0, 2.0, 1.0])
"""What 1 in a gate is in the table; the cell's input twice."""

TOKENS_AT_ONCE = 256
"""Tokens that are computed together: bounds the memory that making the table takes, and fits the cache."""


def input_table(
    embedding_VE: Array, weight_GE: Floats, bias_G: Floats, *, four_units: bool = False, units_4: Array = INPUT_UNITS
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.uint8]]:
    """Values [V, B, 4, 16] and steps [V, B, 4] of all tokens.

    With `four_units` the values are [V, B, 4, 4 gates, 4]: four units of each gate in turns.
    """
    size, width = weight_GE.shape
    order_G = np.arange(size).reshape(GATES, -1, LANES).transpose(1, 0, 2).ravel()
    units_G = np.repeat(units_4, size // GATES).astype(np.float32)
    weight_EG = np.ascontiguousarray((weight_GE * units_G[:, None])[order_G].T)
    bias_G = (bias_G * units_G)[order_G]
    values = aligned_empty((len(embedding_VE), size), np.dtype(np.int8))
    steps = aligned_empty((len(embedding_VE), size // LANES), np.dtype(np.uint8))
    # One room for all products: a fresh one each time would cost more than the product.
    vectors, gates = (np.empty((TOKENS_AT_ONCE, columns), dtype=np.float32) for columns in (width, size))
    for start in range(0, len(values), TOKENS_AT_ONCE):
        count = len(values[start : start + TOKENS_AT_ONCE])
        vectors[:count] = embedding_VE[start : start + count]
        np.matmul(vectors[:count], weight_EG, out=gates[:count])
        gates[:count] += bias_G
        places = (array[start:].ctypes.data for array in (values, steps))
        _library().sluice_round_inputs(gates.ctypes.data, count * size // LANES, int(four_units), *places)
    shape = (-1, LANES // 4, GATES, 4) if four_units else (-1, GATES, LANES)
    return values.reshape(len(values), *shape), steps.reshape(len(values), -1, GATES)


@lru_cache(maxsize=1)
def _library() -> Any:
    found = ctypes.CDLL(str(LIBRARY))
    found.sluice_round_inputs.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, *[ctypes.c_void_p] * 2]
    found.sluice_round_inputs.restype = None
    return found
