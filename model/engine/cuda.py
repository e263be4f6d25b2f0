"""The network on a GPU by kernels of our own: token ids in, logits out (`model.engine.lstm_kernel`).

After the design of `model.engine.cpu`: the input's part of the gates is a table with a row for each
token, texts are sorted by length and not padded, and pooling and head happen in the pass over the
time steps. Cells, sums and head are float32; recurrent weights, hidden states and the table have
the `dtype` that is asked for.

Where `unfit` names a reason, cuDNN answers through `model.network`. The tests compare with it too.

Shape suffixes: V vocabulary, E embedding, H hidden units (padded to a power of two), G = 4 * H, N texts, C labels.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from model.batch import Ids
from model.config import Architecture
from model.network import RecurrentClassifier

GATES = 4
ALIGNMENT = 16
"""Numbers; a kernel is compiled anew for pointers that are not aligned to 16 bytes."""

POOLS = {"max": (0,), "mean": (1,), "last": (2,), "max_mean_last": (0, 1, 2)}
"""Which of the three states that the kernel gives, as `model.encoder.POOLS` orders them."""

MIN_HIDDEN = 16
"""The smallest side of a matrix product in Triton."""

MAX_WEIGHT_BYTES = 128 * 1024
"""Recurrent weights of a direction that fit into a multiprocessor's memory (227 KB), beside inputs in flight."""

NGRAM_PLACES = 32
NGRAM_LABELS = 32
NGRAM_WARPS = 1

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tile:
    """Tile sizes that a kernel uses.

    Attributes:
        rows: texts that go through the time steps together.
        warps: of a program.
        stages: time steps whose inputs are fetched ahead, through shared memory.
    """

    rows: int
    warps: int
    stages: int


TILES = (Tile(16, 8, 3), Tile(32, 8, 2), Tile(64, 8, 2))
"""From few texts, which want many programs, to many."""


def unfit(architecture: Architecture, dtype: torch.dtype) -> str | None:
    """Reason why the kernels cannot run this network; None if they can."""
    if find_spec("triton") is None:
        return "Triton is not installed"
    kind = architecture.cell == "lstm" and architecture.num_layers == 1 and not architecture.conv_width
    if not kind or architecture.pooling not in POOLS:
        return "it is for one layer of LSTM, pooled without attention"
    hidden = padded_hidden(architecture.hidden_size)
    if GATES * hidden * hidden * dtype.itemsize > MAX_WEIGHT_BYTES:
        return f"the recurrent weights of {architecture.hidden_size} units in {dtype} do not fit on the chip"
    return None


class CudaEngine:
    """Network in the form that the kernels compute with.

    Args:
        network: one that `unfit` accepts; it is not kept.
        device: a CUDA device; the CPU under Triton's interpreter (`TRITON_INTERPRET=1`).
        dtype: float16, bfloat16 or float32.
    """

    def __init__(self, network: RecurrentClassifier, device: torch.device, dtype: torch.dtype) -> None:
        if (reason := unfit(network.architecture, dtype)) is not None:
            raise ValueError(f"no kernel: {reason}")
        shape = network.architecture
        self._device = device
        self._num_labels = network.head.out_features
        self._directions = shape.num_directions
        self._hidden = padded_hidden(shape.hidden_size)
        self._vocabulary = shape.vocab_size
        with torch.no_grad():
            self._table = input_table(network, device, dtype)
            self._weights = recurrent_weights(network).to(device, dtype)
            self._head = head_weights(network).to(device)
            self._bias = network.head.bias.detach().float().to(device)
            bag = network.ngrams
            self._ngrams = None if bag is None else bag.table.detach().float().to(device)
        self._max_order = shape.ngram_order
        # Gates to 2^-11 by one instruction: no worse than what they are made of. The interpreter does not have it.
        self._fast = dtype != torch.float32 and device.type == "cuda"
        self._processors = (
            torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
        )
        self._host = torch.empty(0, dtype=torch.int32)
        self._ids = torch.empty(0, dtype=torch.int32, device=device)

    def logits(self, rows: Sequence[Ids]) -> Floats:
        """Logits [N, C] of token ids; a text's do not depend on the others, but for rounding. One thread at a time."""
        if not rows:
            return np.empty((0, self._num_labels), dtype=np.float32)
        with self._current_device(), torch.inference_mode():
            return self.compute(self.stage(rows), len(rows)).cpu().numpy()

    def stage(self, rows: Sequence[Ids]) -> Tensor:
        """Starts, lengths, order and token ids of texts on the device, int32.

        They are there until the next call, which must wait until the logits of these are there.
        """
        num_texts = len(rows)
        width = _aligned(num_texts)
        lengths_N = np.fromiter(map(len, rows), dtype=np.int32, count=num_texts)
        size = 3 * width + int(lengths_N.sum())
        if size > len(self._host):
            self._host = torch.empty(2 * size, dtype=torch.int32, pin_memory=self._device.type == "cuda")
            self._ids = torch.empty(2 * size, dtype=torch.int32, device=self._device)
        host = self._host.numpy()
        order_N = by_length(lengths_N)
        starts_N = np.cumsum(lengths_N, dtype=np.int32) - lengths_N
        host[:num_texts] = starts_N[order_N]
        host[width : width + num_texts] = lengths_N[order_N]
        host[2 * width : 2 * width + num_texts] = order_N
        np.concatenate(rows, out=host[3 * width : size])
        self._ids[:size].copy_(self._host[:size], non_blocking=True)
        return self._ids

    def compute(self, staged: Tensor, num_texts: int, tile: Tile | None = None) -> Tensor:
        """Logits [N, C], on the device, of what `stage` has put there; does not wait for them."""
        # Imported here: Triton takes a second, and is not there everywhere.
        from model.engine.lstm_kernel import lstm_logits, ngram_logits

        tile = tile or self.tile(num_texts)
        width = _aligned(num_texts)
        starts, lengths, order, ids = (staged[part * width :] for part in range(4))
        parts_N = torch.empty(
            (self._directions + (self._ngrams is not None), num_texts, self._num_labels), device=self._device
        )
        texts = (ids, starts, lengths, order)
        lstm_logits[(-(-num_texts // tile.rows) * self._directions,)](
            *texts,
            self._table,
            self._weights,
            self._head,
            parts_N,
            num_texts,
            self._num_labels,
            self._vocabulary,
            HIDDEN=self._hidden,
            ROWS=tile.rows,
            DIRECTIONS=self._directions,
            FAST=self._fast,
            STAGES=tile.stages,
            num_warps=tile.warps,
        )
        if self._ngrams is not None:
            labels = min(NGRAM_LABELS, _power_of_two(self._num_labels))
            ngram_logits[(num_texts, -(-self._num_labels // labels))](
                *texts,
                self._ngrams,
                parts_N[-1],
                self._num_labels,
                BUCKETS=len(self._ngrams),
                MAX_ORDER=self._max_order,
                PLACES=NGRAM_PLACES,
                LABELS=labels,
                num_warps=NGRAM_WARPS,
            )
        return parts_N.sum(0).add_(self._bias)

    def warm_up(self) -> None:
        """Compiles the kernels for every tile, and grows what is kept between calls."""
        rows = [np.zeros(1, dtype=np.int32)]
        with self._current_device(), torch.inference_mode():
            for tile in TILES:
                self.compute(self.stage(rows), 1, tile).cpu()

    def tile(self, num_texts: int) -> Tile:
        """The largest tile that still gives every multiprocessor a program; the smallest if none does."""
        for tile in reversed(TILES):
            if num_texts * self._directions >= tile.rows * self._processors:
                return tile
        return TILES[0]

    def _current_device(self) -> AbstractContextManager[object]:
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()


def input_table(network: RecurrentClassifier, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Part of the gates that each token adds, by direction, [directions, V, G]."""
    shape = network.architecture
    hidden = padded_hidden(shape.hidden_size)
    table = torch.zeros(shape.num_directions, shape.vocab_size, GATES, hidden, dtype=dtype, device=device)
    embedding_VE = network.embedding.detach().to(device, torch.float32)
    for direction in range(shape.num_directions):
        layer = network.encoder.lstm(0, direction)
        weight_GE, bias_G = layer.weight_ih.detach().float().to(device), layer.bias.detach().float().to(device)
        gates_VG = F.linear(embedding_VE, weight_GE, bias_G)
        table[direction, :, :, : shape.hidden_size] = gates_VG.view(-1, GATES, shape.hidden_size)
    return table.flatten(2)


def recurrent_weights(network: RecurrentClassifier) -> Tensor:
    """From each unit to each unit of each gate, float32 [directions, 4, H, H]."""
    shape = network.architecture
    size = shape.hidden_size
    weights = torch.zeros(shape.num_directions, GATES, padded_hidden(size), padded_hidden(size))
    for direction in range(shape.num_directions):
        weight_GH = network.encoder.lstm(0, direction).weight_hh.detach().float().cpu()
        weights[direction, :, :size, :size] = weight_GH.view(GATES, size, size).transpose(1, 2)
    return weights


def head_weights(network: RecurrentClassifier) -> Tensor:
    """Weights of each label for the largest, mean and last state, float32 [C, directions, 3, H]."""
    shape = network.architecture
    pools = POOLS[shape.pooling]
    given = network.head.weight.detach().float().cpu()
    weights = torch.zeros(len(given), shape.num_directions, 3, padded_hidden(shape.hidden_size))
    by_pool = given.view(len(given), len(pools), shape.num_directions, shape.hidden_size)
    for place, pool in enumerate(pools):
        weights[:, :, pool, : shape.hidden_size] = by_pool[:, place]
    return weights


def by_length(lengths_N: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The order of texts from the longest to the shortest.

    >>> by_length(np.array([2, 9, 2], dtype=np.int32)).tolist()
    [1, 0, 2]
    """
    longest = int(lengths_N.max(initial=0))
    left_N = longest - lengths_N
    # NumPy sorts 16-bit numbers by radix, three times as fast.
    return (left_N.astype(np.uint16) if longest < 2**16 else left_N).argsort(kind="stable")


def padded_hidden(hidden_size: int) -> int:
    """Units with those that are always zero: Triton's blocks have powers of two as sides."""
    return max(MIN_HIDDEN, _power_of_two(hidden_size))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _aligned(number: int) -> int:
    return -(-number // ALIGNMENT) * ALIGNMENT
