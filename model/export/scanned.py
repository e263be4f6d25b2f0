"""Recurrent cells that ONNX has no operator for, written out step by step in a `Scan`.

Shape suffixes: T time steps, B batch, D input width, H hidden units, G = 4H.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from model.cells import EPSILON
from model.config import Cell
from model.export.graph import FLOAT, Graph, integers, tensor

Arrays = Mapping[str, npt.NDArray[Any]]


def layer_norm(body: Graph, x_BG: str, h_BH: str, c_BH: str, weights: Arrays) -> tuple[str, str]:
    """Hidden and cell state [B, H] after a step of `model.cells.LayerNormCell`."""
    from_state = body.op("MatMul", h_BH, body.floats(weights["weight_hh"].T))
    gates_BG = body.op("Add", x_BG, _normalised(body, from_state, weights["gain_hh"]))
    i, f, g, o = _quarters(body, gates_BG, weights)
    kept = body.op("Mul", body.op("Sigmoid", f), c_BH)
    new_BH = body.op("Add", kept, body.op("Mul", body.op("Sigmoid", i), body.op("Tanh", g)))
    shown = body.op("Tanh", _normalised(body, new_BH, weights["gain_c"], weights["bias_c"]))
    return body.op("Mul", body.op("Sigmoid", o), shown), new_BH


def simple(body: Graph, x_BG: str, h_BH: str, c_BH: str, weights: Arrays) -> tuple[str, str]:
    """Hidden and cell state [B, H] after a step of `model.cells.SruCell`."""
    f, r, g, s = _quarters(body, x_BG, weights)
    v_f, v_r = (body.floats(row) for row in weights["weight_hh"])
    forget = body.op("Sigmoid", body.op("Add", f, body.op("Mul", v_f, c_BH)))
    reset = body.op("Sigmoid", body.op("Add", r, body.op("Mul", v_r, c_BH)))
    new_BH = _between(body, forget, c_BH, g)
    return _between(body, reset, new_BH, s), new_BH


STEPS: dict[Cell, Callable[[Graph, str, str, str, Arrays], tuple[str, str]]] = {
    "layernorm": layer_norm,
    "sru": simple,
}
"""One time step by kind of cell: of the input's part of the gates [B, G], hidden and cell state [B, H]."""


def states_by_scan(graph: Graph, cell: Cell, x_TBD: str, lengths_B: str, weights: Arrays, *, backward: bool) -> str:
    """States [T, B, H] of one direction, in the order of the text; those of the padding have no meaning."""
    if backward:
        x_TBD = _reverse(graph, x_TBD, lengths_B)
    x_TBG = graph.op("MatMul", x_TBD, graph.floats(weights["weight_ih"].T))
    if cell == "layernorm":
        x_TBG = _normalised(graph, x_TBG, weights["gain_ih"], weights["bias"])
    else:
        x_TBG = graph.op("Add", x_TBG, graph.floats(weights["bias"]))
    num_rows = graph.op("Shape", x_TBD, start=1, end=2)
    zeros_BH = graph.op("ConstantOfShape", graph.op("Concat", num_rows, integers(len(weights["bias"]) // 4), axis=0))
    body = Graph(prefix=f"{x_TBG}_")
    h_BH, c_BH = STEPS[cell](body, "x", "h", "c", weights)
    inputs, outputs = ("h", "c", "x"), (h_BH, c_BH, body.op("Identity", h_BH))
    floats = [[tensor(name, FLOAT, None) for name in names] for names in (inputs, outputs)]
    states_TBH = graph.several("Scan", 3, zeros_BH, zeros_BH, x_TBG, body=body.proto(*floats), num_scan_inputs=1)[2]
    return _reverse(graph, states_TBH, lengths_B) if backward else states_TBH


def _reverse(graph: Graph, x_TBD: str, lengths_B: str) -> str:
    """Reverses each row by its own length, and leaves padding in place."""
    return graph.op("ReverseSequence", x_TBD, lengths_B, batch_axis=1, time_axis=0)


def _quarters(body: Graph, gates_BG: str, weights: Arrays) -> list[str]:
    hidden = len(weights["bias"]) // 4
    return [
        body.op("Slice", gates_BG, integers(place * hidden), integers((place + 1) * hidden), integers(1))
        for place in range(4)
    ]


def _normalised(graph: Graph, z: str, gain: npt.NDArray[Any], bias: npt.NDArray[Any] | None = None) -> str:
    added = [] if bias is None else [graph.floats(bias)]
    return graph.op("LayerNormalization", z, graph.floats(gain), *added, axis=-1, epsilon=EPSILON)


def _between(body: Graph, share: str, first: str, second: str) -> str:
    """share ⊙ first + (1 - share) ⊙ second."""
    rest = body.op("Sub", np.float32(1), share)
    return body.op("Add", body.op("Mul", share, first), body.op("Mul", rest, second))
