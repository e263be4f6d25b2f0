"""Weights of a network in the form that the CPU engine's kernels share: four gates, whole blocks of units.

An LSTM has four gates. A GRU's candidate is taken apart into what the state and what the input
give, since the reset gate multiplies the first alone; then it has four as well. Units with weights
of zero fill the last block: their states are zero, and the weights that read them too.

Shape suffixes: E width of a layer's input, H hidden units, G = 4 * H, S states of all directions,
U attention's units, C labels, P poolings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Architecture
from model.engine.arrays import GATES, LANES, floats

GRU_INPUT, GRU_STATE = (0, 1, None, 2), (0, 1, 2, None)
"""Which of a GRU's reset, update and candidate each of four gates takes of the input and of the state."""

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Gates:
    """Weights of one direction of a layer."""

    weight_ih_GE: Floats
    weight_hh_GH: Floats
    bias_G: Floats


@dataclass(frozen=True)
class Attention:
    """Weights of `model.encoder.Attention`: matrix, bias and context."""

    weight_US: Floats
    bias_U: Floats
    context_U: Floats


def layer_gates(architecture: Architecture, weights: Weights, layer: int, direction: int) -> Gates:
    """The weights of one direction of an LSTM or a GRU."""
    name = f"layers.{layer}.{direction}"
    weight_ih, weight_hh, bias = (floats(weights[f"{name}.{part}"]) for part in ("weight_ih", "weight_hh", "bias"))
    if architecture.cell == "gru":
        weight_ih, weight_hh, bias = (
            _four(weight_ih, GRU_INPUT),
            _four(weight_hh, GRU_STATE),
            _four(bias, GRU_INPUT),
        )
    units = architecture.hidden_size
    weight_ih, weight_hh, bias = (fill(array, units) for array in (weight_ih, weight_hh, bias))
    return Gates(weight_ih if layer == 0 else fill(weight_ih, units, axis=1), fill(weight_hh, units, axis=1), bias)


def attention_weights(architecture: Architecture, weights: Weights) -> Attention:
    """Attention's weights; its units, all directions' as they are many, fill whole blocks of four "gates"."""
    units, whole = architecture.hidden_size, GATES * LANES
    weight_SS = fill(floats(weights["attention.project.weight"]), units, axis=1)
    bias_S, context_S = (floats(weights[f"attention.{name}"]).ravel() for name in ("project.bias", "context.weight"))
    return Attention(*(fill(array, len(array), to=whole) for array in (weight_SS, bias_S, context_S)))


def head_weights(architecture: Architecture, weights: Weights) -> Floats:
    """The head's weights [C, P * S]."""
    return fill(floats(weights["head.weight"]), architecture.hidden_size, axis=1)


def _four(array: Floats, gates: Sequence[int | None]) -> Floats:
    """Takes the block of rows of each of four gates, zeros for none."""
    blocks = array.reshape(3, -1, *array.shape[1:])
    zeros = np.zeros_like(blocks[0])
    return np.concatenate([zeros if gate is None else blocks[gate] for gate in gates])


def fill(array: Floats, units: int, *, axis: int = 0, to: int = LANES) -> Floats:
    """Appends zeros to each run of so many units along an axis, until its length is a multiple of `to`.

    >>> fill(np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32), 2, to=3)
    array([1., 2., 0., 3., 4., 0.], dtype=float32)
    """
    runs = array.reshape(*array.shape[:axis], -1, units, *array.shape[axis + 1 :])
    widths = [(0, 0)] * runs.ndim
    widths[axis + 1] = (0, -units % to)
    filled: Floats = np.pad(runs, widths).reshape(*array.shape[:axis], -1, *array.shape[axis + 1 :])
    return filled
