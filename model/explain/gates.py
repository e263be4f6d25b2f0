"""Values of the gates at each token, from the steps that are written out in `model.cell` and `model.cells`.

Fused kernels give hidden states only; `tests/model/explain/test_gates.py` holds the two together.

Shape suffixes: T time steps, D input width, H hidden units; 1 is the batch, of one text.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.batch import Ids
from model.cell import RecurrentCell, Trace, next_state
from model.network import RecurrentClassifier
from model.padding import pad


@dataclass(frozen=True, slots=True)
class TracedLayer:
    """One layer in one direction.

    Attributes:
        layer: from 0, the lowest.
        backward: whether it reads from the end.
        states_TH: by name, float32 [T, H], in the order of the text. What names there are depends on the cell:
            `input`, `forget`, `candidate`, `output`, `cell`, `hidden` of the LSTM, with peepholes or normalised too;
            `reset`, `update`, `candidate`, `hidden` of the GRU; `forget`, `reset`, `candidate`, `cell`, `hidden` of the
            simple recurrent unit; `hidden` of the plain RNN.
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
                states = _scan(network.encoder.recurrent(layer, direction), x_T1D, backward=direction == 1)
                outputs.append(states["hidden"])
                inside = {name: state_T1H[: len(ids), 0] for name, state_T1H in states.items()}
                traced.append(TracedLayer(layer, direction == 1, inside))
            x_T1D = torch.cat(outputs, dim=2)
    return traced


def _scan(cell: RecurrentCell, x_T1D: Tensor, *, backward: bool) -> Trace:
    """Everything that the cell computes, [T, 1, H] each, in the order of the text."""
    x_T1G, state = cell.project(x_T1D), cell.initial_state(x_T1D)
    order = range(len(x_T1D) - 1, -1, -1) if backward else range(len(x_T1D))
    steps: dict[int, Trace] = {}
    for t in order:
        steps[t] = cell.step(x_T1G[t], state, cell.weight_hh)
        state = next_state(steps[t], state)
    return {name: torch.stack([steps[t][name] for t in range(len(x_T1D))]) for name in steps[0]}
