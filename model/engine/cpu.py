"""The network on a CPU without PyTorch: token ids in, logits out, through a small library of our own (`native/`).

It answers for networks of LSTM or GRU layers, with any pooling, where the library has been built
(`python -m model.engine.build`); everywhere else the network itself answers. The library has a kernel for each
of several instruction sets, and one in portable C++: the fastest that the processor has is chosen
when it is loaded. What makes it fast: the input's part of the gates is looked up and not computed, for there
are only so many tokens; the weights are laid out once, in the order in which they are used; no
padding is computed; pooling happens in the same pass.

It is not exact: hidden states, recurrent weights and looked-up gates are rounded to 8 bits.
`tests/model/engine/test_cpu.py` bounds what that does to a probability.

Shape suffixes: H hidden units, N texts, C labels.
"""

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from model.batch import Ids
from model.config import Architecture
from model.engine.arrays import GATES, LANES, aligned, by_block, floats
from model.engine.gates import Gates, Weights, attention_weights, head_weights, layer_gates
from model.engine.layout import (
    GATE_UNITS,
    GRU_UNITS,
    MAX_PAIR,
    MAX_WEIGHT,
    TANH_UNITS,
    Layout,
    fits_fixed,
    fixed_layout,
    float_layout,
    product_layout,
)
from model.library import LIBRARY

FIXED, FLOAT_OF_FIXED = "avx512-fixed", "avx512"
"""Kernel whose gates are 16-bit integers, and that of the same processors whose gates are floating-point numbers."""

PAIRED = "avx2"
"""Kernel whose sums of two products have 16 bits: it wants smaller integers."""

OF_OTHER_FORM = (FIXED, PAIRED)
"""Kernels that want the weights in another form than the rest."""

CELLS = ("lstm", "gru")
"""Kinds of recurrent layers that the kernels compute."""

MAX_LAYERS = 3
"""See `native/model.h`."""

PORTABLE = "scalar"
"""Kernel in portable C++, which any processor can run and the tests compare the others with."""

VARIANT_VARIABLE = "ENGINE_VARIANT"
"""Environment variable that names the kernel to use, for tests and benchmarks."""

MIN_ROWS = 24
"""Rows that a thread gets at least: a block of `native/model.h`."""

POOLS = {"max": (0,), "mean": (1,), "last": (2,), "max_mean_last": (0, 1, 2)}
"""Which of the three states that the library gives, as `model.encoder.POOLS` orders them."""

Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Loads the library, if it is built and of this version."""
    if not LIBRARY.is_file():
        return None
    try:
        found = ctypes.CDLL(str(LIBRARY))
        # One built from another version of native/model.h would misread what it is given.
        fits = found.sluice_size_of_model() == ctypes.sizeof(_Model)
        found.sluice_variant.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        return None
    found.sluice_logits.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2 + [ctypes.c_void_p]
    found.sluice_logits.restype = None
    found.sluice_sums.argtypes = [ctypes.c_void_p] * 3
    found.sluice_sums.restype = None
    return found if fits else None


def variants() -> dict[str, int]:
    """Kernels that this processor can run, the fastest first: the library's index by name."""
    found = library()
    if found is None:
        return {}
    names: list[str] = []
    while (name := found.sluice_variant(len(names))) is not None:
        names.append(name.decode())
    return {name: index for index, name in enumerate(names) if found.sluice_supported(index)}


def pick_variant(name: str | None = None) -> str:
    """Name of the kernel to use: `name`, else the one in `VARIANT_VARIABLE`, else the fastest.

    Raises:
        ValueError: this processor has no such kernel, or there is no library.
    """
    there, wanted = variants(), name or os.environ.get(VARIANT_VARIABLE) or None
    if not there or (wanted is not None and wanted not in there):
        raise ValueError(f"no engine: there is no kernel {wanted or 'at all'} here; {', '.join(there) or 'no library'}")
    return wanted or next(iter(there))


def unfit(architecture: Architecture) -> str | None:
    """Reason why this engine cannot run this network on this machine, or should not; None if it can."""
    if not LIBRARY.is_file():
        return "its library has not been built; python -m model.engine.build does it where there is a C++ compiler"
    if library() is None:
        return "its library is of another version: python -m model.engine.build"
    if pick_variant() == PORTABLE and os.environ.get(VARIANT_VARIABLE) != PORTABLE:
        return "the processor has neither AVX2 nor ARM's dot product, and PyTorch is faster than the portable kernel"
    return _misshapen(architecture)


def _misshapen(architecture: Architecture) -> str | None:
    if architecture.num_layers == 0:
        return "a network without recurrent layers is left to PyTorch"
    if architecture.cell not in CELLS:
        return f"cells of kind {architecture.cell} are left to PyTorch: it is for {' and '.join(CELLS)}"
    if architecture.conv_width:
        return "a convolution in front is left to PyTorch: what a token adds to the gates could not be looked up"
    if architecture.pooling not in (*POOLS, "attention"):
        return f"pooling {architecture.pooling} is left to PyTorch"
    return None


class Engine:
    """Network in the form that the library computes with.

    Args:
        architecture: one that `unfit` accepts.
        weights: by the names that files give them, in any number format; they are not kept.
        threads: cores that share a batch.
        variant: name of a kernel, one of `variants`; by default the fastest.
    """

    def __init__(
        self, architecture: Architecture, weights: Weights, *, threads: int = 1, variant: str | None = None
    ) -> None:
        name = pick_variant(variant)
        found = library()
        if found is None or (reason := _misshapen(architecture)) is not None:
            raise ValueError(f"no engine: {reason if found else 'no library'}")
        self._library = found
        self._num_labels = len(weights["head.bias"])
        self.variant, layers = lay_out(architecture, weights, name, threads=threads)
        self._model, self._arrays = describe(architecture, weights, layers, _pair_limit(self.variant))
        self._model.variant = variants()[self.variant]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "engine") if threads > 1 else None

    def sums(self, states_H: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
        """Recurrent sums [H / 16, 4, 16] of the first direction, of states of -127 to 127: what tests compare."""
        sums = np.empty((len(states_H) // LANES, GATES, LANES), dtype=np.int32)
        states = np.ascontiguousarray(states_H)
        self._library.sluice_sums(ctypes.addressof(self._model), _address(states), _address(sums))
        return sums

    def logits(self, rows: Sequence[Ids]) -> Floats:
        """Logits [N, C] of token ids; a text's do not depend on the others."""
        num_texts = len(rows)
        logits_NC = np.empty((num_texts, self._num_labels), dtype=np.float32)
        if not num_texts:
            return logits_NC
        lengths_N = np.fromiter((len(row) for row in rows), dtype=np.int64, count=num_texts)
        starts = np.zeros(num_texts + 1, dtype=np.int64)
        lengths_N.cumsum(out=starts[1:])
        ids = np.ascontiguousarray(np.concatenate(rows), dtype=np.int32)
        order_N = (-lengths_N).argsort(kind="stable")
        fixed = (ctypes.addressof(self._model), _address(ids), _address(starts), _address(order_N))
        answer = _address(logits_NC)
        if self._pool is None or num_texts < 2 * MIN_ROWS:
            self._library.sluice_logits(*fixed, 0, num_texts, answer)
        else:
            mine, *others = share(lengths_N[order_N], self._threads)
            # One part on this thread: each that is woken wants the interpreter twice, for which others may wait too.
            waiting = [self._pool.submit(self._library.sluice_logits, *fixed, *part, answer) for part in others]
            self._library.sluice_logits(*fixed, *mine, answer)
            for part_done in waiting:
                part_done.result()
        return logits_NC


class _Layer(ctypes.Structure):
    """The structure `Direction` of `native/model.h`; its fields are those of `Layout`, in their order."""

    _fields_ = [(name, ctypes.c_void_p) for name in Layout.__annotations__]


class _Model(ctypes.Structure):
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
    simple = architecture.num_layers == 1 and architecture.cell == "lstm" and architecture.pooling in POOLS
    if variant == FIXED and not (simple and all(fits_fixed(each.weight_hh_GH) for each in gates[0])):
        variant = FLOAT_OF_FIXED
    units_4 = GRU_UNITS if architecture.cell == "gru" else GATE_UNITS
    limit, embedding_VE = _pair_limit(variant), weights["embedding"]

    def first(direction: Gates) -> Layout:
        arrays = (embedding_VE, direction.weight_ih_GE, direction.weight_hh_GH, direction.bias_G)
        return fixed_layout(*arrays) if variant == FIXED else float_layout(*arrays, units_4=units_4, pair_limit=limit)

    def above(direction: Gates) -> Layout:
        weight_GD = np.concatenate([direction.weight_hh_GH, direction.weight_ih_GE], axis=1)
        return product_layout(weight_GD, direction.bias_G, units_4=units_4, pair_limit=limit)

    with ThreadPoolExecutor(architecture.num_directions if threads > 1 else 1) as pool:
        return variant, [list(pool.map(above if layer else first, each)) for layer, each in enumerate(gates)]


def _pair_limit(variant: str) -> int:
    return MAX_PAIR if variant == PAIRED else 2 * MAX_WEIGHT


def describe(
    architecture: Architecture, weights: Weights, layers: Sequence[Sequence[Layout]], pair_limit: int
) -> tuple[_Model, list[npt.NDArray[Any]]]:
    """Describes the network to the library; the arrays that the structure points into must live as long."""
    pools = POOLS.get(architecture.pooling, ())
    model = _Model(
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
        return _address(array)

    def described(layout: Layout) -> _Layer:
        return _Layer(**{name: kept(array) for name, array in layout.arrays()})

    for layer, layouts in enumerate(layers):
        for direction, layout in enumerate(layouts):
            model.layers[layer][direction] = described(layout)
    if architecture.pooling == "attention":
        attention = attention_weights(architecture, weights)
        layout = product_layout(attention.weight_US, attention.bias_U, units_4=TANH_UNITS, pair_limit=pair_limit)
        model.attention, model.attention_units = described(layout), len(attention.bias_U)
        model.context = kept(by_block(attention.context_U))
    model.head = kept(aligned(head_weights(architecture, weights)))
    model.bias = kept(floats(weights["head.bias"]))
    if architecture.ngram_buckets:
        model.ngrams = kept(np.asarray(weights["ngrams.table"], dtype=np.float16, order="C"))  # as files have it
    return model, arrays


def share(lengths_N: npt.NDArray[np.int64], threads: int) -> list[tuple[int, int]]:
    """Splits texts, sorted by length, into parts of about as many tokens and at least `MIN_ROWS` texts.

    >>> share(np.array([9] * 48), 2)
    [(0, 24), (24, 48)]
    """
    num_texts = len(lengths_N)
    parts = max(1, min(threads, num_texts // MIN_ROWS))
    reached = np.cumsum(lengths_N + 1)
    ends = [int(np.searchsorted(reached, reached[-1] * (part + 1) / parts)) + 1 for part in range(parts - 1)]
    edges = [0, *ends, num_texts] if num_texts else [0, 0]
    return [(begin, end) for begin, end in pairwise(edges) if begin < end]


def _address(array: npt.NDArray[Any]) -> int:
    return array.ctypes.data
