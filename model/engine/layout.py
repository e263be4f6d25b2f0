"""Weights in the number formats and in the order in which the CPU engine's kernels read them.

All kernels share the 8-bit recurrent weights. Most compute gates in floating-point numbers; the one
whose gates are 16-bit integers has its table in another order and, for scales, shifts and factors.
`input_table.py` makes the table.

Shape suffixes: V vocabulary, E embedding, H hidden units, G = 4 * H, B = H / 16 blocks of units,
D states that a product reads: H, and above the first layer those of the layer below.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from model.engine.arrays import GATES, LANES, Array, Floats, aligned, by_block
from model.engine.input_table import INPUT_UNITS, input_table

H_SCALE = 127
H_ZERO = 128
"""See `native/model.h`."""

MAX_WEIGHT = 127
MAX_PAIR = 128
"""Largest sum of two neighbours of one sign: times a state of 255 it fits into 16 bits."""


@dataclass(frozen=True)
class ProductForm:
    """Form in which a kernel wants the weights of its products."""

    states: int = 4
    """States of one unit that lie side by side: what one instruction multiplies for each sum."""
    pair_limit: int = 2 * MAX_WEIGHT
    """Largest sum of two neighbours of one sign."""


COMMON_FORM = ProductForm()

GATE_UNITS = -np.log2(np.e) * np.array([1.0, 1.0, 2.0, 1.0])
"""Gates in floating-point numbers are powers of two, that of the cell's input twice, all with the other sign."""

GRU_UNITS = -np.log2(np.e) * np.array([1.0, 1.0, 2.0, 2.0])
"""The same of a GRU, whose third and fourth are the two parts of the candidate."""

GRU_INPUT_UNITS = INPUT_UNITS[0] * GRU_UNITS / GRU_UNITS[0]
"""Those of a GRU in 16-bit integers."""

TANH_UNITS = -np.log2(np.e) * np.array([2.0, 2.0, 2.0, 2.0])
"""The same of attention's units."""

FACTOR_BITS = 15
"""A factor f stands for f / 2^15 (`vpmulhrsw`)."""

MAX_WORD = 32767
MAX_BIAS = 2**30
MAX_SHIFT = 20


@dataclass(frozen=True)
class Layout:
    """One direction's arrays, in the order of the structure `Direction` of `native/model.h`; None is left out there."""

    table: npt.NDArray[np.int8] | None
    steps: npt.NDArray[np.uint8] | None
    weights: npt.NDArray[np.int8]
    offsets: npt.NDArray[np.int32]
    scales: Floats | None = None
    shifts: npt.NDArray[np.int32] | None = None
    factors: npt.NDArray[np.int16] | None = None
    bias: Floats | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Arrays that are there, by name."""
        for field in fields(self):
            if (array := getattr(self, field.name)) is not None:
                yield field.name, array


def float_layout(
    embedding_VE: Array,
    weight_ih_GE: Floats,
    weight_hh_GH: Floats,
    bias_G: Floats,
    *,
    units_4: Array = GATE_UNITS,
    form: ProductForm = COMMON_FORM,
) -> Layout:
    """Weights of a first layer for kernels whose gates are floating-point numbers; see `pack_recurrent`."""
    packed, offsets, scales = pack_recurrent(weight_hh_GH, units_4=units_4, form=form)
    # The table has other units: there the kernel makes powers of two of them.
    table, steps = input_table(embedding_VE, weight_ih_GE, bias_G, units_4=units_4 / GATE_UNITS[0] * INPUT_UNITS[0])
    return Layout(table, steps, packed, offsets, scales=scales)


def product_layout(weight_GD: Floats, bias_G: Floats, *, units_4: Array, form: ProductForm) -> Layout:
    """Weights of a layer whose whole input is states: of one above the first, of attention."""
    packed, offsets, scales = pack_recurrent(weight_GD, units_4=units_4, form=form)
    bias_G = bias_G * np.repeat(units_4, len(bias_G) // GATES).astype(np.float32)
    return Layout(None, None, packed, offsets, scales=scales, bias=by_block(bias_G))


def fixed_layout(
    embedding_VE: Array, weight_ih_GE: Floats, weight_hh_GH: Floats, bias_G: Floats, *, units_4: Array = INPUT_UNITS
) -> Layout:
    """Weights of a first layer for the kernels whose gates are 16-bit integers, if `fits_fixed`."""
    table = input_table(embedding_VE, weight_ih_GE, bias_G, four_units=True, units_4=units_4)
    return Layout(*table, **_fixed_products(weight_hh_GH, np.zeros_like(bias_G), units_4))


def fixed_product_layout(weight_GD: Floats, bias_G: Floats, *, units_4: Array = INPUT_UNITS) -> Layout:
    """The same of a layer above the first; sums begin with its bias."""
    return Layout(None, None, **_fixed_products(weight_GD, bias_G, units_4))


def _fixed_products(weight_GD: Floats, bias_G: Floats, units_4: Array) -> dict[str, Any]:
    """Weights, offsets, shifts and factors of the kernels whose gates are 16-bit integers.

    An integer sum is shifted right, rounding (half of what is lost is in the offset), until it fits into 16 bits, and
    multiplied by a factor over 2^15, which is as large as can be.
    """
    packed, offsets, _ = pack_recurrent(weight_GD)
    steps_B4L = _fixed_steps(weight_GD, units_4)
    bias_B4L = by_block(np.rint(bias_G / _weight_steps(weight_GD) * H_SCALE).astype(np.int32))
    shifts_B4L = _shifts(steps_B4L).clip(max=MAX_SHIFT)
    factors_B4L = np.rint(np.ldexp(steps_B4L, FACTOR_BITS + shifts_B4L)).astype(np.int16)
    shifts_B4L += 1  # the kernel doubles the product, when states' own factor, 1 to 2, is out of it again
    halves_B4L = np.left_shift(1, shifts_B4L - 1)
    # The kernel computes two rows at once: four units of one, the same of the other, and so on.
    pairs = factors_B4L.reshape(-1, GATES, LANES // 4, 1, 4).repeat(2, axis=3)
    return {
        "weights": packed,
        "offsets": aligned(offsets + bias_B4L + halves_B4L.astype(np.int32)),
        "shifts": aligned(shifts_B4L.astype(np.int32)),
        "factors": aligned(pairs),
    }


def fits_fixed(weight_GD: Floats, *, units_4: Array = INPUT_UNITS, bias_G: Floats | float = 0.0) -> bool:
    """True if no weight is so large (7.9; 3.9 for the cell's input) that a factor would need 17 bits.

    Neither may a bias, where sums begin with it, be a million times as large as its unit's weights.
    """
    small = bool((np.abs(bias_G) / _weight_steps(weight_GD) * H_SCALE < MAX_BIAS).all())
    return small and bool(_shifts(_fixed_steps(weight_GD, units_4)).min() >= 0)


def _fixed_steps(weight_GD: Floats, units_4: Array) -> Array:
    """By how much of a 16-bit gate one more in the integer sum moves it, [B, 4, 16]."""
    return by_block(_weight_steps(weight_GD) / H_SCALE * np.repeat(units_4, len(weight_GD) // GATES))


def _shifts(steps_B4L: Array) -> Array:
    return np.floor(np.log2(MAX_WORD / np.ldexp(steps_B4L, FACTOR_BITS))).astype(np.int64)


def pack_recurrent(
    weight_GD: Floats, *, units_4: Array = GATE_UNITS, form: ProductForm = COMMON_FORM
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32], Floats]:
    """Weights of states as integers [B, D / 4, 4 gates, 16, 4 states], the start of each sum, and its factor.

    Each unit of each gate has a scale of its own: its largest weight is 127, or less where two neighbours of one sign
    would exceed the form's limit together. The two last are [B, 4, 16].
    """
    hidden, depth = len(weight_GD) // GATES, weight_GD.shape[1]
    steps_G = np.maximum(_weight_steps(weight_GD), _largest_pairs(weight_GD) / (form.pair_limit - 1))  # 1: for rounding
    whole_GD = np.rint(weight_GD / steps_G[:, None]).astype(np.int8)
    packed = whole_GD.reshape(GATES, hidden // LANES, LANES, depth // form.states, form.states).transpose(1, 3, 0, 2, 4)
    offsets_G = -H_ZERO * whole_GD.sum(axis=1, dtype=np.int32)
    scales_G = steps_G / H_SCALE * np.repeat(units_4, hidden)
    return aligned(packed), by_block(offsets_G), by_block(scales_G.astype(np.float32))


def _weight_steps(weight_GH: Floats) -> Floats:
    """The weight that 1 stands for, [G]."""
    steps_G: Floats = np.maximum(np.abs(weight_GH).max(axis=1), 1e-30) / MAX_WEIGHT
    return steps_G


def _largest_pairs(weight_GH: Floats) -> Floats:
    """The largest sum of two neighbours' positive or negative parts, [G]."""
    pairs_GK2 = weight_GH.reshape(len(weight_GH), -1, 2)
    largest_G: Floats = np.maximum(pairs_GK2.clip(min=0).sum(2), -pairs_GK2.clip(max=0).sum(2)).max(axis=1)
    return largest_G
