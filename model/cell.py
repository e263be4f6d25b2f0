"""The LSTM written out once, to be read, and what all recurrent cells share.

A cell is the weights of one layer in one direction and the arithmetic of one time step in two
parts: `project` computes the input's part of the gates, of all steps at once, and `step` the rest.
The other cells are in `model.cells`.

This arithmetic serves explanations, examples and the cells that PyTorch has no kernel for. LSTM,
GRU and plain RNN train and serve on fused kernels (`model.recurrent`); `tests/model/test_cell.py`
and `tests/model/test_network.py` hold the two together, forward and gradient.

Shape suffixes: T time steps, B batch, D input width, H hidden units, G = gates * H, such as 4H.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state h and cell state c, each [B, H]."""

Trace = dict[str, Tensor]
"""Everything that one step computes, by name, each [B, H]; the names differ between cells, `hidden` is always there."""


def num_parameters(input_size: int, hidden_size: int, *, biases: int = 1) -> int:
    """Parameters of one LSTM layer in one direction: 4·(h² + h·d + h) with one bias a gate.

    PyTorch keeps two biases a gate (cuDNN's layout: one beside each product), whose sum is all that matters;
    `biases=2` counts them: 4·(h² + h·d + 2h).

    >>> num_parameters(100, 256)
    365568
    >>> num_parameters(100, 256, biases=2)
    366592
    """
    return 4 * (hidden_size**2 + hidden_size * input_size + biases * hidden_size)


class RecurrentCell(nn.Module, ABC):
    """Weights of one layer in one direction, and one time step with them.

    Gates are stacked in the rows of `weight_ih`, W, [G, D], of `weight_hh`, U, [G, H], and of `bias`, b, [G].

    Attributes:
        num_gates: blocks of H rows in each weight.
        forget_gate: place of the forget gate among them; None has none.
    """

    num_gates: ClassVar[int]
    forget_gate: ClassVar[int | None] = None

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(self.num_gates * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(self.num_gates * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(self.num_gates * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws Xavier input weights and orthogonal recurrent ones; the forget gate begins open.

        Source: Glorot & Bengio 2010; Saxe et al. 2014; Jozefowicz et al. 2015, section 2.2 (forget bias 1).
        """
        for gate in self.weight_ih.chunk(self.num_gates):
            nn.init.xavier_uniform_(gate)
        for gate in self.weight_hh.chunk(self.num_gates):
            nn.init.orthogonal_(gate)
        nn.init.zeros_(self.bias)
        if self.forget_gate is not None:
            with torch.no_grad():
                self.bias.chunk(self.num_gates)[self.forget_gate].fill_(1.0)

    def project(self, x: Tensor) -> Tensor:
        """The input's part of the gates, W x + b, [..., G] of [..., D]: of one step or of all at once."""
        return F.linear(x, self.weight_ih, self.bias)

    @abstractmethod
    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes one time step.

        Args:
            x_BG: from `project`.
            state: after the step before.
            weight_hh: U, in training perhaps with some elements dropped.
        """

    def forward(self, x_TBD: Tensor, *, weight_drop: float = 0.0) -> Tensor:
        """All hidden states [T, B, H] from a zero state; `weight_drop` is the rate of dropout on U in training mode."""
        return self.states(x_TBD, F.dropout(self.weight_hh, weight_drop, self.training))

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights, one step after another."""
        state, states = self.initial_state(x_TBD), []
        for x_BG in self.project(x_TBD).unbind():
            state = next_state(self.step(x_BG, state, weight_hh), state)
            states.append(state[0])
        return torch.stack(states)

    def initial_state(self, x_TBD: Tensor) -> State:
        """A state of zeros, on the input's device and in its number format."""
        zeros_BH = x_TBD.new_zeros(x_TBD.shape[1], self.hidden_size)
        return zeros_BH, zeros_BH


def next_state(trace: Trace, state: State) -> State:
    """The state after a step; a cell without a cell state hands the old one on."""
    return trace["hidden"], trace.get("cell", state[1])


class LstmCell(RecurrentCell):
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

    The four gates are stacked in the order i, f, g, o, as in `torch.nn.LSTM`.
    """

    num_gates = 4
    forget_gate = 1

    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes `input`, `forget`, `candidate`, `output`, `cell` and `hidden`."""
        h_BH, c_BH = state
        i_BH, f_BH, g_BH, o_BH = (x_BG + F.linear(h_BH, weight_hh)).chunk(4, dim=1)
        i_BH, f_BH, g_BH, o_BH = torch.sigmoid(i_BH), torch.sigmoid(f_BH), torch.tanh(g_BH), torch.sigmoid(o_BH)
        c_BH = f_BH * c_BH + i_BH * g_BH
        h_BH = o_BH * torch.tanh(c_BH)
        return {"input": i_BH, "forget": f_BH, "candidate": g_BH, "output": o_BH, "cell": c_BH, "hidden": h_BH}


class LstmLayer(nn.Module):
    """Stacked, one- or two-directional layers of cells over padded rows of known length, as a reference for tests.

    The backward direction reads each row from its own last token to its first, so padding never enters either
    direction. Above the first layer the input is the states of both directions side by side.

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
        kind: Callable[[int, int], RecurrentCell] = LstmCell,
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
        cell = self._cell(layer * self.num_directions + direction)
        if not isinstance(cell, LstmCell):
            raise TypeError(f"not an LSTM cell: {cell}")
        return cell

    def _cell(self, index: int) -> RecurrentCell:
        cell = self.cells[index]
        if not isinstance(cell, RecurrentCell):
            raise TypeError(f"not a recurrent cell: {cell}")
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
            layer and direction, each [layers * directions, B, H]: for the forward direction after the last token,
            for the backward one after the first.
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
        """Runs one cell over time. Rows whose text is over (or, backwards, has not begun) keep their state."""
        cell = self._cell(index)
        x_TBG, steps = cell.project(x_TBD), range(x_TBD.shape[0])
        states: list[Tensor] = [x_TBD.new_zeros(())] * len(steps)
        for t in reversed(steps) if backward else steps:
            inside_B1 = (t < lengths_B).unsqueeze(1)
            h_BH, c_BH = next_state(cell.step(x_TBG[t], state, cell.weight_hh), state)
            state = (
                torch.where(inside_B1, h_BH, state[0]),
                torch.where(inside_B1, c_BH, state[1]),
            )
            states[t] = torch.where(inside_B1, h_BH, torch.zeros_like(h_BH))
        return torch.stack(states), state
