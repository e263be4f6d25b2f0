"""Weights lie where the kernels look for them, and stand for what they were."""

import numpy as np
import pytest

from model.engine.arrays import GATES, LANES
from model.engine.layout import (
    FACTOR_BITS,
    GRU_INPUT_UNITS,
    H_SCALE,
    H_ZERO,
    MAX_PAIR,
    ProductForm,
    fits_fixed,
    fixed_layout,
    fixed_product_layout,
    pack_recurrent,
)


def test_packed_weights_are_the_weights_in_their_places() -> None:
    weights = np.random.default_rng(0).normal(size=(GATES * 32, 32)).astype(np.float32)
    packed, offsets, scales = pack_recurrent(weights)
    assert packed.dtype == np.int8
    assert offsets.dtype == np.int32
    assert packed.ctypes.data % 64 == offsets.ctypes.data % 64 == scales.ctypes.data % 64 == 0
    gate, unit, source = 2, 19, 13
    row = weights[gate * 32 + unit]
    place = (unit // LANES, gate, unit % LANES)
    assert packed[place[0], source // 4, gate, place[2], source % 4] == np.rint(row[source] / np.abs(row).max() * 127)
    unit_of_gate = -2 * np.log2(np.e)  # that of the cell's input, gate 2
    assert scales[place] * 127 * 127 == pytest.approx(np.abs(row).max() * unit_of_gate, rel=1e-6)
    assert offsets[place] == -H_ZERO * int(np.rint(row / np.abs(row).max() * 127).sum())


def test_eight_states_of_a_unit_lie_side_by_side_where_a_kernel_multiplies_eight() -> None:
    weights = np.random.default_rng(0).normal(size=(GATES * 32, 32)).astype(np.float32)
    four, eight = (pack_recurrent(weights, form=ProductForm(states=states)) for states in (4, 8))
    assert eight[0].shape == (2, 4, GATES, LANES, 8)
    np.testing.assert_array_equal(eight[0][..., :4], four[0][:, ::2])
    np.testing.assert_array_equal(eight[0][..., 4:], four[0][:, 1::2])
    for ours, common in zip(eight[1:], four[1:], strict=True):
        np.testing.assert_array_equal(ours, common)


def test_no_two_neighbours_of_one_sign_exceed_a_limit() -> None:
    weights = np.random.default_rng(0).normal(size=(GATES * 32, 32)).astype(np.float32)
    packed, _, scales = pack_recurrent(weights, form=ProductForm(pair_limit=MAX_PAIR))
    pairs = packed.reshape(*packed.shape[:-1], 2, 2).astype(np.int64)
    assert max(pairs.clip(min=0).sum(-1).max(), -pairs.clip(max=0).sum(-1).min()) in (MAX_PAIR - 1, MAX_PAIR)
    unit_scale = scales[0, 0, 5] * H_SCALE / -np.log2(np.e)
    assert packed[0, 2, 0, 5, 3] * unit_scale == pytest.approx(weights[5, 11], abs=unit_scale / 2 + 1e-6)


def test_shift_and_factor_stand_for_the_scale() -> None:
    weight = np.random.default_rng(0).normal(size=(GATES * 32, 32)).astype(np.float32)
    layout = fixed_layout(
        np.zeros((3, 5)), np.zeros((GATES * 32, 5), np.float32), weight, np.zeros(GATES * 32, np.float32)
    )
    assert layout.shifts is not None
    assert layout.factors is not None
    gate, unit = 3, 30
    place = (unit // LANES, gate, unit % LANES)
    for row in (0, 1):
        factor = layout.factors[place[0], gate, place[2] // 4, row, place[2] % 4]
        assert 2**14 <= factor < 2**15
        step = np.abs(weight[gate * 32 + unit]).max() / 127 / H_SCALE * 2**11
        assert factor / 2.0 ** (FACTOR_BITS - 1) / 2.0 ** layout.shifts[place] == pytest.approx(step, rel=1e-4)


def test_the_sums_of_a_layer_above_the_first_begin_with_its_bias() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(GATES * 16, 48)), rng.normal(size=GATES * 16)
    layouts = [
        fixed_product_layout(weight.astype(np.float32), each.astype(np.float32), units_4=GRU_INPUT_UNITS)
        for each in (bias, 0 * bias)
    ]
    with_bias, without = (layout.offsets for layout in layouts)
    gate, unit = 2, 5
    one = np.abs(weight[gate * 16 + unit]).max() / 127 / H_SCALE  # what 1 in a sum is
    place = (0, gate, unit)
    assert with_bias[place] - without[place] == np.rint(bias[gate * 16 + unit] / one)
    assert layouts[0].shifts is not None
    np.testing.assert_array_equal(layouts[0].shifts, layouts[1].shifts)
    assert layouts[0].table is None


def test_weights_that_need_larger_factors_do_not_fit() -> None:
    weight = np.full((GATES * 16, 16), 3.8, dtype=np.float32)
    assert fits_fixed(weight)
    weight[0, 3] = 7.8
    assert fits_fixed(weight)
    weight[0, 3] = 8.0
    assert not fits_fixed(weight)
    weight[0] = 1e-9
    assert fits_fixed(weight)
    assert not fits_fixed(weight, bias_G=np.ones(GATES * 16, dtype=np.float32))
