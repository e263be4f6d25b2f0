"""Recurrent layers in ONNX: its own operators for LSTM, peephole LSTM, GRU and RNN.

Shape suffixes: T time steps, B batch, D input width, H hidden units, G = gates * H; W directions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.config import Cell
from model.export.graph import INT32, Graph
from model.export.scanned import STEPS, states_by_scan

Arrays = Mapping[str, npt.NDArray[Any]]
"""Weights of one layer in one direction by the names of `model.cell.RecurrentCell`."""

OPERATORS: dict[Cell, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "lstm": ("LSTM", (0, 3, 1, 2), {}),
    "peephole": ("LSTM", (0, 3, 1, 2), {}),
    "gru": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "rnn": ("RNN", (0,), {}),
}
"""Operator of a cell, the places of its gates in the operator's order, and attributes.

LSTM has i, o, f, c where `LstmCell` has i, f, g, o; GRU has z, r, h where `GruCell` has r, z, n.
Source: https://onnx.ai/onnx/operators, LSTM, GRU and RNN.
"""


def layer(graph: Graph, cell: Cell, x_TBD: str, lengths_B: str, directions: Sequence[Arrays]) -> list[str]:
    """States [T, B, H] of each direction, in the order of the text; those of the padding have no meaning.

    Args:
        graph: to add to.
        cell: kind of the layer.
        x_TBD: the input.
        lengths_B: int64, at least 1.
        directions: weights of the forward and, if there is one, of the backward direction.
    """
    if cell in STEPS:
        return [
            states_by_scan(graph, cell, x_TBD, lengths_B, weights, backward=place == 1)
            for place, weights in enumerate(directions)
        ]
    return _by_operator(graph, cell, x_TBD, lengths_B, directions)


def _by_operator(graph: Graph, cell: Cell, x_TBD: str, lengths_B: str, directions: Sequence[Arrays]) -> list[str]:
    operator, order, attributes = OPERATORS[cell]
    hidden = directions[0]["weight_hh"].shape[1]
    bias_WG = _ordered("bias", order, hidden, directions)
    inputs = [
        x_TBD,
        graph.floats(_ordered("weight_ih", order, hidden, directions)),
        graph.floats(_ordered("weight_hh", order, hidden, directions)),
        graph.floats(np.concatenate([bias_WG, np.zeros_like(bias_WG)], axis=1)),
        graph.op("Cast", lengths_B, to=INT32),
    ]
    if cell == "peephole":  # i, o, f there and i, f, o here
        inputs += ["", "", graph.floats(_ordered("peephole", (0, 2, 1), hidden, directions))]
    direction = "bidirectional" if len(directions) == 2 else "forward"
    states_TWBH = graph.op(operator, *inputs, hidden_size=hidden, direction=direction, **attributes)
    return [graph.op("Gather", states_TWBH, np.int64(place), axis=1) for place in range(len(directions))]


def _ordered(name: str, order: Sequence[int], hidden: int, directions: Sequence[Arrays]) -> npt.NDArray[Any]:
    """A weight [W, G, ...] of all directions, its blocks of `hidden` rows in this order."""
    rows_G = np.concatenate([np.arange(gate * hidden, (gate + 1) * hidden) for gate in order])
    return np.stack([weights[name][rows_G] for weights in directions])
