"""The table holds what a token adds to the gates, each value to half a step."""

import numpy as np
import pytest

from model.engine.arrays import GATES, LANES
from model.engine.input_table import input_table
from model.library import LIBRARY

HIDDEN = 32

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason="the engine's library has not been built")


def _table(bias: float = 0.0, *, four_units: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, steps, and the gates [V, B, 4, 16] that they stand for, in steps of 2^-11."""
    rng = np.random.default_rng(0)
    embedding, weight = ((rng.normal(size=size) / 2).astype(np.float32) for size in ((300, 5), (GATES * HIDDEN, 5)))
    bias_G = np.full(GATES * HIDDEN, bias, dtype=np.float32)
    values, steps = input_table(embedding, weight, bias_G, four_units=four_units)
    exact = (embedding @ weight.T + bias_G).reshape(-1, GATES, HIDDEN // LANES, LANES).transpose(0, 2, 1, 3) * 2.0**11
    exact[:, :, 2] *= 2  # the cell's input
    return values, steps, exact


def test_a_value_is_right_to_half_a_step() -> None:
    values, steps, exact = _table()
    wide = steps.astype(np.float64)[..., None]
    assert (np.abs(values * wide - exact) <= wide / 2 + 0.1).all()
    largest = np.abs(exact).max(axis=-1)
    assert np.abs(steps - np.ceil(largest / 127)).max() <= 1  # products are added in another order here
    assert (steps == np.ceil(largest / 127)).mean() > 0.99
    assert values.ctypes.data % 64 == 0


def test_four_units_of_each_gate_stand_side_by_side_for_the_kernel_of_16_bits() -> None:
    values, steps, _ = _table()
    mixed, same_steps, _ = _table(four_units=True)
    np.testing.assert_array_equal(steps, same_steps)
    assert mixed.shape == (300, HIDDEN // LANES, 4, GATES, 4)
    np.testing.assert_array_equal(mixed.transpose(0, 1, 3, 2, 4).reshape(values.shape), values)


def test_gates_beyond_what_16_bits_hold_are_clipped() -> None:
    values, steps, exact = _table(bias=40.0)
    assert (exact > 2**15).mean() > 0.9
    assert ((values == 127) & (steps[..., None] == 255))[exact > 127 * 255].all()
