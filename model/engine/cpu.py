"""The network on a CPU without PyTorch: token ids in, logits out, through a small library of our own (`native/`).

It answers for the common network, one layer of LSTM, where the library has been built (`python -m
model.engine.build`); everywhere else the network itself answers. The library has a kernel for each
of several instruction sets, and one in portable C++: the fastest that the processor has is chosen
when it is loaded. What makes it fast: the input's part of the gates is looked up and not computed, for there
are only so many tokens; the weights are laid out once, in the order in which they are used; no
padding is computed; pooling happens in the same pass.

It is not exact: hidden states and recurrent weights are rounded to 8 bits, looked-up gates to half
precision. `tests/model/engine/test_cpu.py` bounds what that does to a probability.

Shape suffixes: V vocabulary, E embedding, H hidden units, G = 4 * H, N texts, C labels, S pooled
states.
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from model.batch import Ids
from model.config import Architecture
from model.library import LIBRARY

LANES = 16
GATES = 4
H_SCALE = 127
H_ZERO = 128
"""See `native/model.h`."""

PORTABLE = "scalar"
"""Kernel in portable C++, which any processor can run and the tests compare the others with."""

VARIANT_VARIABLE = "ENGINE_VARIANT"
"""Environment variable that names the kernel to use, for tests and benchmarks."""

GATE_UNITS = -np.log2(np.e) * np.array([1.0, 1.0, 2.0, 1.0])
"""The library takes gates as powers of two, that of the cell's input twice, all with the other sign."""

MAX_WEIGHT = 127
ALIGNMENT = 64
"""Bytes; of a vector."""

TOKENS_AT_ONCE = 1024
"""Rows of the table that are computed together: bounds the memory that making it takes."""

MIN_ROWS = 24
"""Rows that a thread gets at least: a block of `native/model.h`."""

POOLS = {"max": (0,), "mean": (1,), "last": (2,), "max_mean_last": (0, 1, 2)}
"""Which of the three states that the library gives, as `model.encoder.POOLS` orders them."""

LAYER_WEIGHTS = ("weight_ih", "weight_hh", "bias")
"""Names of the weights of one direction, after `layers.0.0.` or `layers.0.1.`."""

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]


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
    kind = architecture.cell == "lstm" and architecture.num_layers == 1 and not architecture.conv_width
    if not kind or architecture.pooling not in POOLS or architecture.hidden_size % LANES:
        return f"it is for one layer of LSTM, units in multiples of {LANES}, pooled without attention"
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
        self.variant = pick_variant(variant)
        found = library()
        if found is None or (reason := _misshapen(architecture)) is not None:
            raise ValueError(f"no engine: {reason if found else 'no library'}")
        self._library = found
        self._num_labels = len(weights["head.bias"])
        self._model, self._arrays = describe(architecture, weights, threads=threads)
        self._model.variant = variants()[self.variant]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "engine") if threads > 1 else None

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
            parts = share(lengths_N[order_N], self._threads)
            list(self._pool.map(lambda part: self._library.sluice_logits(*fixed, *part, answer), parts))
        return logits_NC


class _Layer(ctypes.Structure):
    """The structure `Direction` of `native/model.h`."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("table", "weights", "offsets", "scales")]


class _Model(ctypes.Structure):
    """The structure `Model` of `native/model.h`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("variant", "directions", "hidden", "labels", "num_pools", "ngram_order")),
        ("pools", ctypes.c_int32 * 3),
        ("buckets", ctypes.c_int64),
        ("layers", _Layer * 2),
        *((name, ctypes.c_void_p) for name in ("head", "bias", "ngrams")),
    ]


def describe(architecture: Architecture, weights: Weights, *, threads: int) -> tuple[_Model, list[npt.NDArray[Any]]]:
    """Describes the network to the library; the arrays that the structure points into must live as long."""
    model = _Model(
        directions=architecture.num_directions,
        hidden=architecture.hidden_size,
        labels=len(weights["head.bias"]),
        num_pools=len(POOLS[architecture.pooling]),
        ngram_order=architecture.ngram_order,
        pools=POOLS[architecture.pooling],
        buckets=architecture.ngram_buckets,
    )
    arrays: list[npt.NDArray[Any]] = []

    def kept(array: npt.NDArray[Any]) -> int:
        arrays.append(array)
        return _address(array)

    def layer(direction: int) -> tuple[npt.NDArray[Any], ...]:
        weight_ih, weight_hh, bias = (_floats(weights[f"layers.0.{direction}.{name}"]) for name in LAYER_WEIGHTS)
        return input_table(weights["embedding"], weight_ih, bias), *pack_recurrent(weight_hh)

    with ThreadPoolExecutor(architecture.num_directions if threads > 1 else 1) as pool:
        for direction, made in enumerate(pool.map(layer, range(architecture.num_directions))):
            model.layers[direction] = _Layer(*map(kept, made))
    model.head = kept(_floats(weights["head.weight"]))
    model.bias = kept(_floats(weights["head.bias"]))
    if architecture.ngram_buckets:
        model.ngrams = kept(_floats(weights["ngrams.table"]))
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


def input_table(embedding_VE: npt.NDArray[Any], weight_GE: Floats, bias_G: Floats) -> npt.NDArray[np.float16]:
    """Part of the gates that each token adds, float16 [V, H / 16, 4, 16]."""
    size, width = weight_GE.shape
    # Gates in the table's order and units: a product is a row of it.
    order_G = np.arange(size).reshape(GATES, -1, LANES).transpose(1, 0, 2).ravel()
    units_G = np.repeat(GATE_UNITS, size // GATES).astype(np.float32)
    weight_EG = np.ascontiguousarray((weight_GE * units_G[:, None])[order_G].T)
    bias_G = (bias_G * units_G)[order_G]
    table = aligned_empty((len(embedding_VE), size), np.dtype(np.float16))
    # One room for all products: a fresh one each time would cost more than the product.
    vectors, gates = (np.empty((TOKENS_AT_ONCE, columns), dtype=np.float32) for columns in (width, size))
    for start in range(0, len(table), TOKENS_AT_ONCE):
        part = table[start : start + TOKENS_AT_ONCE]
        vectors[: len(part)] = embedding_VE[start : start + TOKENS_AT_ONCE]
        np.matmul(vectors[: len(part)], weight_EG, out=gates[: len(part)])
        gates += bias_G
        part[...] = gates[: len(part)]
    return table.reshape(len(table), -1, GATES, LANES)


def pack_recurrent(weight_GH: Floats) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32], Floats]:
    """Recurrent weights as integers [H / 16, H / 4, 4, 16, 4], the start of each sum, and its factor.

    Each unit of each gate has a scale of its own: its largest weight is 127. The two last are [H / 16, 4, 16].
    """
    hidden = weight_GH.shape[1]
    steps_G1 = np.maximum(np.abs(weight_GH).max(axis=1, keepdims=True), 1e-30) / MAX_WEIGHT
    whole_GH = np.rint(weight_GH / steps_G1).astype(np.int8)
    packed = whole_GH.reshape(GATES, hidden // LANES, LANES, hidden // 4, 4).transpose(1, 3, 0, 2, 4)
    offsets_G = -H_ZERO * whole_GH.sum(axis=1, dtype=np.int32)

    def by_block(values_G: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return aligned(values_G.reshape(GATES, hidden // LANES, LANES).transpose(1, 0, 2))

    scales_G = steps_G1[:, 0] / H_SCALE * np.repeat(GATE_UNITS, hidden)
    return aligned(packed), by_block(offsets_G), by_block(scales_G.astype(np.float32))


def aligned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy whose first byte lies on a multiple of `ALIGNMENT`."""
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of this shape, not filled, whose first byte lies on a multiple of `ALIGNMENT`."""
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def _floats(array: npt.NDArray[Any]) -> Floats:
    """A copy in single precision, row after row."""
    return np.array(array, dtype=np.float32, order="C")


def _address(array: npt.NDArray[Any]) -> int:
    return array.ctypes.data
