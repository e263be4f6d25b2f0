"""What the gates do at each token, from the cells that are written out, with the network's own weights.

`model.recurrent` gives hidden states only; `tests/model/explain/test_gates.py` holds the two together.

Shape suffixes: T time steps, D input width, H hidden units; 1 is the batch, of one text.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import Ids, pad
from model.cell import LstmCell, Trace
from model.cells import CELLS, GatedCell
from model.network import RecurrentClassifier


@dataclass(frozen=True, slots=True)
class TracedLayer:
    """One layer in one direction.

    Attributes:
        layer: from 0, the lowest.
        backward: whether it reads from the end.
        states_TH: by name, float32 [T, H], in the order of the text. What names there are depends on the cell:
            `input`, `forget`, `candidate`, `output`, `cell`, `hidden` of the LSTM, with peepholes or normalised too;
            `reset`, `update`, `candidate`, `hidden` of the GRU; `hidden` of the plain RNN.
    """

    layer: int
    backward: bool
    states_TH: dict[str, Tensor]


def trace(network: RecurrentClassifier, ids: Ids) -> list[TracedLayer]:
    """Every layer, lowest first, forward before backward; none of a network without layers.

    Args:
        network: in evaluation.
        ids: of one text.
    """
    device = network.embedding.device
    batch = pad([ids]).to(device)
    traced: list[TracedLayer] = []
    with torch.inference_mode():
        x_T1D = network.embed(batch.ids_TB)
        if network.encoder.convolution is not None:
            x_T1D = network.encoder.convolution(x_T1D, torch.full_like(x_T1D[:, :, :1], len(ids) > 0, dtype=torch.bool))
        for layer in range(network.architecture.num_layers):
            outputs = []
            for direction in range(network.architecture.num_directions):
                states = _scan(_cell(network, layer, direction), x_T1D, backward=direction == 1)
                outputs.append(states["hidden"])
                inside = {name: state_T1H[: len(ids), 0] for name, state_T1H in states.items()}
                traced.append(TracedLayer(layer, direction == 1, inside))
            x_T1D = torch.cat(outputs, dim=2)
    return traced


def _cell(network: RecurrentClassifier, layer: int, direction: int) -> LstmCell | GatedCell:
    """The written-out cell that shares the weights of this layer."""
    weights = network.encoder.recurrent(layer, direction)
    kind: Callable[[int, int], LstmCell | GatedCell] = CELLS[network.architecture.cell]
    with torch.device("meta"):
        cell = kind(weights.weight_ih.shape[1], weights.hidden_size)
    cell.load_state_dict(weights.state_dict(), assign=True)
    return cell


def _scan(cell: LstmCell | GatedCell, x_T1D: Tensor, *, backward: bool) -> Trace:
    """Everything that the cell computes, [T, 1, H] each, in the order of the text."""
    hidden_size = cell.weight_hh.shape[1]
    state = (x_T1D.new_zeros(1, hidden_size), x_T1D.new_zeros(1, hidden_size))
    order = range(len(x_T1D) - 1, -1, -1) if backward else range(len(x_T1D))
    steps: dict[int, Trace] = {}
    for t in order:
        steps[t] = cell.trace(x_T1D[t], state)
        state = (steps[t]["hidden"], steps[t].get("cell", state[1]))
    return {name: torch.stack([steps[t][name] for t in range(len(x_T1D))]) for name in steps[0]}
