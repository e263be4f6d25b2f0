"""Description of a network to the CPU engine's library: its weights as a kernel wants them, and where they are.

Shape suffixes: H hidden units.
"""

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Architecture
from model.engine.arrays import LANES, aligned, by_block, floats
from model.engine.gates import Floats, Gates, Weights, attention_weights, head_weights, layer_gates
from model.engine.input_table import INPUT_UNITS
from model.engine.layout import (
    COMMON_FORM,
    GATE_UNITS,
    GRU_INPUT_UNITS,
    GRU_UNITS,
    MAX_PAIR,
    TANH_UNITS,
    Layout,
    ProductForm,
    fits_fixed,
    fixed_layout,
    fixed_product_layout,
    float_layout,
    product_layout,
)

FIXED = ("amx", "avx512-fixed", "amx-emulated")
"""Kernels whose gates are 16-bit integers."""

FLOAT_OF_FIXED = "avx512"
"""Kernel of the same processors whose gates are floating-point numbers."""

PAIRED = "avx2"
"""Kernel whose sums of two products have 16 bits: it wants smaller integers."""

FORMS = {PAIRED: ProductForm(pair_limit=MAX_PAIR), "neon-i8mm": ProductForm(states=8)}
"""Forms of products that are not the common one, by kernel."""

OF_OTHER_FORM = (*FIXED, PAIRED)
"""Kernels that want the weights in another form than the rest."""

MAX_LAYERS = 3
"""See `native/model.h`."""

POOLS = {"max": (0,), "mean": (1,), "last": (2,), "max_mean_last": (0, 1, 2)}
"""Which of the three states that the library gives, as `model.encoder.POOLS` orders them."""


class _Layer(ctypes.Structure):
    """The structure `Direction` of `native/model.h`; its fields are those of `Layout`, in their order."""

    _fields_ = [(name, ctypes.c_void_p) for name in Layout.__annotations__]


class Model(ctypes.Structure):
    """The structure `Model` of `native/model.h`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("variant", "num_layers", "gru", "directions", "hidden", "labels")),
        *((name, ctypes.c_int32) for name in ("num_pools", "ngram_order")),
        ("pools", ctypes.c_int32 * 3),
        ("attention_units", ctypes.c_int32),
        ("buckets", ctypes.c_int64),
        ("layers", _Layer * 2 * MAX_LAYERS),
        ("attention", _Layer),
        *((name, ctypes.c_void_p) for name in ("context", "head", "bias", "ngrams")),
    ]


def lay_out(
    architecture: Architecture, weights: Weights, variant: str, *, threads: int
) -> tuple[str, list[list[Layout]]]:
    """Weights of each layer and direction as the kernel wants them; that of 16-bit gates may have to give way.

    Returns:
        The kernel, by name, that the layouts are for.
    """
    gates = [
        [layer_gates(architecture, weights, layer, direction) for direction in range(architecture.num_directions)]
        for layer in range(architecture.num_layers)
    ]
    gru = architecture.cell == "gru"
    if variant in FIXED and not _fit_fixed(gates, gru=gru):
        variant = FLOAT_OF_FIXED
    form, embedding_VE = form_of(variant), weights["embedding"]
    units_4, fixed_4 = (GRU_UNITS, GRU_INPUT_UNITS) if gru else (GATE_UNITS, INPUT_UNITS)

    def first(direction: Gates) -> Layout:
        arrays = (embedding_VE, direction.weight_ih_GE, direction.weight_hh_GH, direction.bias_G)
        if variant in FIXED:
            return fixed_layout(*arrays, units_4=fixed_4)
        return float_layout(*arrays, units_4=units_4, form=form)

    def above(direction: Gates) -> Layout:
        if variant in FIXED:
            return fixed_product_layout(_side_by_side(direction), direction.bias_G, units_4=fixed_4)
        return product_layout(_side_by_side(direction), direction.bias_G, units_4=units_4, form=form)

    with ThreadPoolExecutor(architecture.num_directions if threads > 1 else 1) as pool:
        return variant, [list(pool.map(above if layer else first, each)) for layer, each in enumerate(gates)]


def _fit_fixed(gates: Sequence[Sequence[Gates]], *, gru: bool) -> bool:
    units_4 = GRU_INPUT_UNITS if gru else INPUT_UNITS
    first, *others = gates
    return all(fits_fixed(each.weight_hh_GH, units_4=units_4) for each in first) and all(
        fits_fixed(_side_by_side(each), units_4=units_4, bias_G=each.bias_G) for layer in others for each in layer
    )


def _side_by_side(direction: Gates) -> Floats:
    """Weights [G, D] of a layer above the first: of its own states, then of those below."""
    weight_GD: Floats = np.concatenate([direction.weight_hh_GH, direction.weight_ih_GE], axis=1)
    return weight_GD


def form_of(variant: str) -> ProductForm:
    """Form in which a kernel wants the weights of its products."""
    return FORMS.get(variant, COMMON_FORM)


def describe(
    architecture: Architecture, weights: Weights, layers: Sequence[Sequence[Layout]], form: ProductForm
) -> tuple[Model, list[npt.NDArray[Any]]]:
    """Describes the network to the library; the arrays that the structure points into must live as long."""
    pools = POOLS.get(architecture.pooling, ())
    model = Model(
        num_layers=architecture.num_layers,
        gru=architecture.cell == "gru",
        directions=architecture.num_directions,
        hidden=-(-architecture.hidden_size // LANES) * LANES,
        labels=len(weights["head.bias"]),
        num_pools=len(pools),
        ngram_order=architecture.ngram_order,
        pools=pools,
        buckets=architecture.ngram_buckets,
    )
    arrays: list[npt.NDArray[Any]] = []

    def kept(array: npt.NDArray[Any]) -> int:
        arrays.append(array)
        return address(array)

    def described(layout: Layout) -> _Layer:
        return _Layer(**{name: kept(array) for name, array in layout.arrays()})

    for layer, layouts in enumerate(layers):
        for direction, layout in enumerate(layouts):
            model.layers[layer][direction] = described(layout)
    if architecture.pooling == "attention":
        attention = attention_weights(architecture, weights)
        layout = product_layout(attention.weight_US, attention.bias_U, units_4=TANH_UNITS, form=form)
        model.attention, model.attention_units = described(layout), len(attention.bias_U)
        model.context = kept(by_block(attention.context_U))
    model.head = kept(aligned(head_weights(architecture, weights)))
    model.bias = kept(floats(weights["head.bias"]))
    if architecture.ngram_buckets:
        model.ngrams = kept(np.asarray(weights["ngrams.table"], dtype=np.float16, order="C"))  # as files have it
    return model, arrays


def address(array: npt.NDArray[Any]) -> int:
    """Place in memory of an array's first element."""
    return array.ctypes.data
