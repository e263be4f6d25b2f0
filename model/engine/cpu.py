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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from model.batch import Ids
from model.config import Architecture
from model.engine.arrays import GATES, LANES
from model.engine.description import POOLS, Model, address, describe, form_of, lay_out
from model.engine.gates import Weights
from model.errors import ConfigError
from model.library import LIBRARY

CELLS = ("lstm", "gru")
"""Kinds of recurrent layers that the kernels compute."""

PORTABLE = "scalar"
"""Kernel in portable C++, which any processor can run and the tests compare the others with."""

EMULATED = "amx-emulated"
"""Kernel for AMX whose tiles are in portable C++: for tests, and as slow as `PORTABLE`."""

VARIANT_VARIABLE = "ENGINE_VARIANT"
"""Environment variable that names the kernel to use, for tests and benchmarks."""

MIN_ROWS = 24
"""Rows that a thread gets at least: a block of `native/model.h`."""

NO_MEMORY = -1
"""Answer of the library where a batch finds no memory."""

Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Loads the library, if it is built and of this version."""
    if not LIBRARY.is_file():
        return None
    try:
        found = ctypes.CDLL(str(LIBRARY))
        # One built from another version of native/model.h would misread what it is given.
        fits = found.sluice_size_of_model() == ctypes.sizeof(Model)
        found.sluice_variant.restype = ctypes.c_char_p
        for compute in (found.sluice_logits, found.sluice_pooled):
            compute.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2 + [ctypes.c_void_p]
            compute.restype = ctypes.c_int
    except (OSError, AttributeError):
        return None
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
        ConfigError: the variable names a kernel that this processor does not have.
        ValueError: this processor has no kernel `name`, or there is no library.
    """
    there, named = variants(), os.environ.get(VARIANT_VARIABLE) or None
    wanted = name or named
    if there and name is None and named is not None and named not in there:
        raise ConfigError(f"{VARIANT_VARIABLE}={named}: there is no such kernel here; choose among {', '.join(there)}")
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
        self._architecture, self._num_labels = architecture, len(weights["head.bias"])
        self.variant, layers = lay_out(architecture, weights, name, threads=threads)
        self._model, self._arrays = describe(architecture, weights, layers, form_of(self.variant))
        self._model.variant = variants()[self.variant]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "engine") if threads > 1 else None

    def sums(self, states_H: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
        """Recurrent sums [H / 16, 4, 16] of the first direction, of states of -127 to 127: what tests compare."""
        sums = np.empty((len(states_H) // LANES, GATES, LANES), dtype=np.int32)
        states = np.ascontiguousarray(states_H)
        self._library.sluice_sums(ctypes.addressof(self._model), address(states), address(sums))
        return sums

    def logits(self, rows: Sequence[Ids]) -> Floats:
        """Logits [N, C] of token ids; a text's do not depend on the others."""
        logits_NC = np.empty((len(rows), self._num_labels), dtype=np.float32)
        self._compute(self._library.sluice_logits, rows, logits_NC)
        return logits_NC

    def pooled(self, rows: Sequence[Ids]) -> Floats:
        """Pooled states [N, P] of token ids, which the head reads; zeros of a text without tokens."""
        shape = self._architecture
        width = -(-shape.hidden_size // LANES) * LANES  # the library has units that are always zero
        pooled_NPH = np.zeros((len(rows), shape.pooled_size // shape.hidden_size, width), dtype=np.float32)
        self._compute(self._library.sluice_pooled, rows, pooled_NPH)
        return pooled_NPH[:, :, : shape.hidden_size].reshape(len(rows), shape.pooled_size)

    def _compute(self, function: Callable[..., int], rows: Sequence[Ids], found: Floats) -> None:
        """Fills `found`, a row for each text, by a function of the library.

        Raises:
            MemoryError: there is no memory.
        """
        num_texts = len(rows)
        if not num_texts:
            return
        lengths_N = np.fromiter((len(row) for row in rows), dtype=np.int64, count=num_texts)
        starts = np.zeros(num_texts + 1, dtype=np.int64)
        lengths_N.cumsum(out=starts[1:])
        ids = np.ascontiguousarray(np.concatenate(rows), dtype=np.int32)
        order_N = (-lengths_N).argsort(kind="stable")
        arrays: Sequence[npt.NDArray[Any]] = (ids, starts, order_N, found)

        def compute(begin: int, end: int) -> int:
            # It holds the arrays: an interrupt ends the call, and other threads go on with their parts.
            *given, answer = [address(array) for array in arrays]
            return function(ctypes.addressof(self._model), *given, begin, end, answer)

        if self._pool is None or num_texts < 2 * MIN_ROWS:
            outcomes = [compute(0, num_texts)]
        else:
            mine, *others = share(lengths_N[order_N], self._threads)
            # One part on this thread: each that is woken wants the interpreter twice, for which others may wait too.
            waiting = [self._pool.submit(compute, *part) for part in others]
            outcomes = [compute(*mine), *(part.result() for part in waiting)]
        if NO_MEMORY in outcomes:
            raise MemoryError("no memory to compute a batch")


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
