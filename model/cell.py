"""The LSTM written out once, to be read.

This is the reference: plain, slow, one time step after another. The network that trains and serves
(`model.recurrent`) uses fused kernels; `tests/model/test_cell.py` holds the two together, forward and gradient. The
other cells are in `model.cells`.

Shape suffixes: T time steps, B batch, D input width, H hidden units, F = 4H or 2H.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state h and cell state c, each [B, H]."""

Trace = dict[str, Tensor]
"""What a cell computes in a step, by name, each [B, H]; the names differ between cells, `hidden` is always there."""


def num_parameters(input_size: int, hidden_size: int, *, biases: int = 1) -> int:
    """Parameters of one layer in one direction: 4·(h² + h·d + h) with one bias a gate.

    PyTorch keeps two biases a gate (cuDNN's layout: one beside each product), whose sum is all that matters;
    `biases=2` counts them: 4·(h² + h·d + 2h).

    >>> num_parameters(100, 256)
    365568
    >>> num_parameters(100, 256, biases=2)
    366592
    """
    return 4 * (hidden_size**2 + hidden_size * input_size + biases * hidden_size)


class LstmCell(nn.Module):
    """One time step of an LSTM.

    With x_t the input, h_{t-1} the hidden and c_{t-1} the cell state, σ the logistic function and ⊙ the elementwise
    product:

        i_t = σ(W_i x_t + U_i h_{t-1} + b_i)          input gate: how much of the candidate enters
        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)          forget gate: how much of the old cell stays
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)       candidate
        o_t = σ(W_o x_t + U_o h_{t-1} + b_o)          output gate: how much of the cell is shown
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)

    Source: Hochreiter & Schmidhuber 1997, "Long Short-Term Memory" (cell, input and output gate);
    Gers, Schmidhuber & Cummins 2000, "Learning to Forget" (forget gate).

    The four gates are stacked in the order i, f, g, o, as in `torch.nn.LSTM`:
    `weight_ih` [4H, D] is W, `weight_hh` [4H, H] is U, `bias` [4H] is b.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        bound = hidden_size**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x_BD: Tensor, state: State) -> State:
        """Returns (h_t, c_t), each [B, H], from one input step and the state before it."""
        trace = self.trace(x_BD, state)
        return trace["hidden"], trace["cell"]

    def trace(self, x_BD: Tensor, state: State) -> Trace:
        """The same with the gates: `input`, `forget`, `candidate`, `output`, `cell` and `hidden`."""
        h_BH, c_BH = state
        gates_B4H = x_BD @ self.weight_ih.T + h_BH @ self.weight_hh.T + self.bias
        i_BH, f_BH, g_BH, o_BH = gates_B4H.chunk(4, dim=1)
        i_BH, f_BH, g_BH, o_BH = torch.sigmoid(i_BH), torch.sigmoid(f_BH), torch.tanh(g_BH), torch.sigmoid(o_BH)
        c_BH = f_BH * c_BH + i_BH * g_BH
        h_BH = o_BH * torch.tanh(c_BH)
        return {"input": i_BH, "forget": f_BH, "candidate": g_BH, "output": o_BH, "cell": c_BH, "hidden": h_BH}


class LstmLayer(nn.Module):
    """Stacked, one- or two-directional LSTM over padded rows of known length.

    The backward direction reads each row from its own last token to its first, so padding never enters either
    direction.
    Above the first layer the input is the states of both directions side by side.

    Args:
        input_size, hidden_size: D and H.
        num_layers: stacked.
        bidirectional: whether each layer also reads backwards.
        kind: class of the cells; `model.cells.CELLS` has the others.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        kind: Callable[[int, int], nn.Module] = LstmCell,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.num_directions = 2 if bidirectional else 1
        self.cells = nn.ModuleList(
            kind(
                input_size if layer == 0 else hidden_size * self.num_directions,
                hidden_size,
            )
            for layer in range(num_layers)
            for _ in range(self.num_directions)
        )

    def cell(self, layer: int = 0, direction: int = 0) -> LstmCell:
        """The cell of one layer (from 0, the lowest) and direction (0 forward, 1 backward)."""
        cell = self.cells[layer * self.num_directions + direction]
        if not isinstance(cell, LstmCell):
            raise TypeError(f"not an LSTM cell: {cell}")
        return cell

    def forward(self, x_TBD: Tensor, lengths_B: Tensor, initial: State | None = None) -> tuple[Tensor, State]:
        """Runs every layer and direction over the whole sequence.

        Args:
            x_TBD: input, padded on the right along T; what stands in the padding has no effect.
            lengths_B: int64, 0 to T.
            initial: h_0 and c_0, each [layers * directions, B, H], ordered layer by layer, forward before backward;
            zeros if None.

        Returns:
            The top layer's states [T, B, directions * H], zero in the padding, and the last state (h, c) of every
            layer and direction,
            each [layers * directions, B, H]: for the forward direction after the last token, for the backward one
            after the first.
        """
        num_rows = x_TBD.shape[1]
        if initial is None:
            zeros = x_TBD.new_zeros(len(self.cells), num_rows, self.hidden_size)
            initial = (zeros, zeros)
        last: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.num_directions):
                index = layer * self.num_directions + direction
                states_TBH, state = self._scan(
                    index,
                    x_TBD,
                    lengths_B,
                    (initial[0][index], initial[1][index]),
                    backward=direction == 1,
                )
                outputs.append(states_TBH)
                last.append(state)
            x_TBD = torch.cat(outputs, dim=2)
        return x_TBD, (
            torch.stack([h for h, _ in last]),
            torch.stack([c for _, c in last]),
        )

    def _scan(
        self,
        index: int,
        x_TBD: Tensor,
        lengths_B: Tensor,
        state: State,
        *,
        backward: bool,
    ) -> tuple[Tensor, State]:
        """One cell over time. Rows whose text is over (or, backwards, has not begun) keep their state."""
        cell = self.cells[index]
        steps = range(x_TBD.shape[0])
        states: list[Tensor] = [x_TBD.new_zeros(())] * len(steps)
        for t in reversed(steps) if backward else steps:
            inside_B1 = (t < lengths_B).unsqueeze(1)
            h_BH, c_BH = cell(x_TBD[t], state)
            state = (
                torch.where(inside_B1, h_BH, state[0]),
                torch.where(inside_B1, c_BH, state[1]),
            )
            states[t] = torch.where(inside_B1, h_BH, torch.zeros_like(h_BH))
        return torch.stack(states), state
