"""Weights of an LSTM in the number formats and in the order in which the CPU engine's kernels read them.

All kernels share the 8-bit recurrent weights. Most compute gates in floating-point numbers; the one
whose gates are 16-bit integers has another table and, for scales, shifts and factors.

Shape suffixes: V vocabulary, E embedding, H hidden units, G = 4 * H, B = H / 16 blocks of units.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

LANES = 16
GATES = 4
H_SCALE = 127
H_ZERO = 128
"""See `native/model.h`."""

MAX_WEIGHT = 127
GATE_UNITS = -np.log2(np.e) * np.array([1.0, 1.0, 2.0, 1.0])
"""Gates in floating-point numbers are powers of two, that of the cell's input twice, all with the other sign."""

FIXED_UNITS = 2.0**11 * np.array([1.0, 1.0, 2.0, 1.0])
"""Gates in 16-bit integers hold -16 to 16, that of the cell's input twice."""

FACTOR_BITS = 15
"""A factor f stands for f / 2^15 (`vpmulhrsw`)."""

MAX_WORD = 32767
MAX_SHIFT = 20

ALIGNMENT = 64
"""Bytes; of a vector."""

TOKENS_AT_ONCE = 1024
"""Rows of the table that are computed together: bounds the memory that making it takes."""

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """One direction's arrays, in the order of the structure `Direction` of `native/model.h`; None is left out there."""

    table: Array
    weights: npt.NDArray[np.int8]
    offsets: npt.NDArray[np.int32]
    scales: Floats | None = None
    shifts: npt.NDArray[np.int32] | None = None
    factors: npt.NDArray[np.int16] | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Arrays that are there, by name."""
        for field in fields(self):
            if (array := getattr(self, field.name)) is not None:
                yield field.name, array


def float_layout(embedding_VE: Array, weight_ih_GE: Floats, weight_hh_GH: Floats, bias_G: Floats) -> Layout:
    """For kernels whose gates are floating-point numbers."""
    packed, offsets, scales = pack_recurrent(weight_hh_GH)
    return Layout(input_table(embedding_VE, weight_ih_GE, bias_G), packed, offsets, scales=scales)


def fixed_layout(embedding_VE: Array, weight_ih_GE: Floats, weight_hh_GH: Floats, bias_G: Floats) -> Layout:
    """For the kernel whose gates are 16-bit integers, if `fits_fixed`.

    An integer sum is shifted right, rounding (half of what is lost is in the offset), until it fits into 16 bits, and
    multiplied by a factor over 2^15, which is as large as can be.
    """
    packed, offsets, _ = pack_recurrent(weight_hh_GH)
    steps_B4L = _fixed_steps(weight_hh_GH)
    shifts_B4L = _shifts(steps_B4L).clip(max=MAX_SHIFT)
    factors_B4L = np.rint(np.ldexp(steps_B4L, FACTOR_BITS + shifts_B4L)).astype(np.int16)
    halves_B4L = np.where(shifts_B4L > 0, np.left_shift(1, np.maximum(shifts_B4L - 1, 0)), 0)
    # The kernel computes two rows at once: four units of one, the same of the other, and so on.
    pairs = factors_B4L.reshape(-1, GATES, LANES // 4, 1, 4).repeat(2, axis=3)
    return Layout(
        fixed_table(embedding_VE, weight_ih_GE, bias_G),
        packed,
        aligned(offsets + halves_B4L.astype(np.int32)),
        shifts=aligned(shifts_B4L.astype(np.int32)),
        factors=aligned(pairs),
    )


def fits_fixed(weight_hh_GH: Floats) -> bool:
    """True if no recurrent weight is so large (7.9; 3.9 for the cell's input) that a factor would need 17 bits."""
    return bool(_shifts(_fixed_steps(weight_hh_GH)).min() >= 0)


def _fixed_steps(weight_hh_GH: Floats) -> Array:
    """By how much of a 16-bit gate one more in the integer sum moves it, [B, 4, 16]."""
    steps_G = _weight_steps(weight_hh_GH) / H_SCALE * np.repeat(FIXED_UNITS, weight_hh_GH.shape[1])
    return _by_block(steps_G)


def _shifts(steps_B4L: Array) -> Array:
    return np.floor(np.log2(MAX_WORD / np.ldexp(steps_B4L, FACTOR_BITS))).astype(np.int64)


def input_table(embedding_VE: Array, weight_GE: Floats, bias_G: Floats) -> npt.NDArray[np.float16]:
    """Part of the gates that each token adds, float16 [V, B, 4, 16]."""
    hidden = len(bias_G) // GATES
    table = aligned_empty((len(embedding_VE), hidden // LANES, GATES, LANES), np.dtype(np.float16))
    for rows, gates_V4H in _gates(embedding_VE, weight_GE, bias_G, GATE_UNITS):
        table[rows] = gates_V4H.reshape(len(gates_V4H), GATES, -1, LANES).transpose(0, 2, 1, 3)
    return table


def fixed_table(embedding_VE: Array, weight_GE: Floats, bias_G: Floats) -> npt.NDArray[np.int16]:
    """Part of the gates that each token adds, int16 [V, B, 2, 4, 2, 4]: two gates side by side, four units in turns."""
    hidden = len(bias_G) // GATES
    table = aligned_empty((len(embedding_VE), hidden // LANES, 2, 4, 2, 4), np.dtype(np.int16))
    for rows, gates_V4H in _gates(embedding_VE, weight_GE, bias_G, FIXED_UNITS):
        whole = np.rint(gates_V4H).clip(-MAX_WORD, MAX_WORD)
        table[rows] = whole.reshape(len(whole), 2, 2, hidden // LANES, 4, 4).transpose(0, 3, 1, 4, 2, 5)
    return table


def _gates(embedding_VE: Array, weight_GE: Floats, bias_G: Floats, units_4: Array) -> Iterator[tuple[slice, Floats]]:
    """The input's part of the gates [V, 4, H], in these units, of some tokens after the other."""
    units_41 = units_4.astype(np.float32).reshape(GATES, 1)
    for start in range(0, len(embedding_VE), TOKENS_AT_ONCE):
        rows = slice(start, start + TOKENS_AT_ONCE)
        gates_VG = floats(embedding_VE[rows]) @ weight_GE.T + bias_G
        yield rows, gates_VG.reshape(len(gates_VG), GATES, -1) * units_41


def pack_recurrent(weight_GH: Floats) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32], Floats]:
    """Recurrent weights as integers [B, H / 4, 4, 16, 4], the start of each sum, and its factor.

    Each unit of each gate has a scale of its own: its largest weight is 127. The two last are [B, 4, 16].
    """
    hidden = weight_GH.shape[1]
    steps_G = _weight_steps(weight_GH)
    whole_GH = np.rint(weight_GH / steps_G[:, None]).astype(np.int8)
    packed = whole_GH.reshape(GATES, hidden // LANES, LANES, hidden // 4, 4).transpose(1, 3, 0, 2, 4)
    offsets_G = -H_ZERO * whole_GH.sum(axis=1, dtype=np.int32)
    scales_G = steps_G / H_SCALE * np.repeat(GATE_UNITS, hidden)
    return aligned(packed), _by_block(offsets_G), _by_block(scales_G.astype(np.float32))


def _weight_steps(weight_GH: Floats) -> Floats:
    """The weight that 1 stands for, [G]."""
    steps_G: Floats = np.maximum(np.abs(weight_GH).max(axis=1), 1e-30) / MAX_WEIGHT
    return steps_G


def _by_block(values_G: Array) -> Array:
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
