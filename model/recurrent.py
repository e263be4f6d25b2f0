"""The recurrent layers that train and serve: one layer in one direction, all time steps at once.

One interface: built from (input_size, hidden_size), called with the input [T, B, D], gives every hidden state [T, B, H]
from a zero initial state. LSTM, GRU and plain RNN run on PyTorch's fused kernels; the peephole and the layer-normalised
LSTM have none and take their steps one by one. `model.cell` and `model.cells` have the equations.

Shape suffixes: T time steps, B batch, D input width, H hidden units, G = gates * H.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.cells import EPSILON
from model.config import Cell


class Recurrent(nn.Module, ABC):
    """What the layers share: weights of all gates stacked, one bias a gate, and how they begin.

    Attributes:
        num_gates: blocks of H rows in each weight.
        forget_gate: which of them is the forget gate; None has none.
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
        """Xavier input weights, orthogonal recurrent ones, forget gate open.

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

    def forward(self, x_TBD: Tensor, *, weight_drop: float = 0.0) -> Tensor:
        """All hidden states [T, B, H]; `weight_drop` is the rate at which `weight_hh` is dropped in training."""
        return self.states(x_TBD, F.dropout(self.weight_hh, weight_drop, self.training))

    @abstractmethod
    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""


class Fused(Recurrent):
    """A layer on PyTorch's fused kernel; PyTorch's second bias is a constant zero here."""

    zero_bias: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.register_buffer("zero_bias", torch.zeros(self.num_gates * hidden_size), persistent=False)

    def weights(self, weight_hh: Tensor) -> list[Tensor]:
        """As the kernels take them."""
        return [self.weight_ih, weight_hh, self.bias, self.zero_bias]


class FusedLstm(Fused):
    """`model.cell.LstmCell` over time."""

    num_gates = 4
    forget_gate = 1

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        zeros, weights = initial_state(x_TBD, self.hidden_size).unsqueeze(0), self.weights(weight_hh)
        states_TBH: Tensor = torch.lstm(x_TBD, (zeros, zeros), weights, True, 1, 0.0, self.training, False, False)[0]
        return states_TBH


class FusedGru(Fused):
    """`model.cells.GruCell` over time."""

    num_gates = 3

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        zeros, weights = initial_state(x_TBD, self.hidden_size).unsqueeze(0), self.weights(weight_hh)
        states_TBH: Tensor = torch.gru(x_TBD, zeros, weights, True, 1, 0.0, self.training, False, False)[0]
        return states_TBH


class FusedRnn(Fused):
    """`model.cells.RnnCell` over time."""

    num_gates = 1

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        zeros, weights = initial_state(x_TBD, self.hidden_size).unsqueeze(0), self.weights(weight_hh)
        states_TBH: Tensor = torch.rnn_tanh(x_TBD, zeros, weights, True, 1, 0.0, self.training, False, False)[0]
        return states_TBH


class PeepholeLstm(Recurrent):
    """`model.cells.PeepholeCell` over time. The peepholes begin at zero, as an LSTM without them."""

    num_gates = 4
    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.peephole = nn.Parameter(torch.zeros(3 * hidden_size))

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        p_i, p_f, p_o = self.peephole.chunk(3)
        h_BH = c_BH = initial_state(x_TBD, self.hidden_size)
        states = []
        for x_BG in F.linear(x_TBD, self.weight_ih, self.bias).unbind():
            i_BH, f_BH, g_BH, o_BH = (x_BG + F.linear(h_BH, weight_hh)).chunk(4, dim=1)
            input_BH, forget_BH = torch.sigmoid(i_BH + p_i * c_BH), torch.sigmoid(f_BH + p_f * c_BH)
            c_BH = forget_BH * c_BH + input_BH * torch.tanh(g_BH)
            h_BH = torch.sigmoid(o_BH + p_o * c_BH) * torch.tanh(c_BH)
            states.append(h_BH)
        return torch.stack(states)


class LayerNormLstm(Recurrent):
    """`model.cells.LayerNormCell` over time."""

    num_gates = 4
    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain_ih = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_hh = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_c = nn.Parameter(torch.ones(hidden_size))
        self.bias_c = nn.Parameter(torch.zeros(hidden_size))

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        gates, units = [4 * self.hidden_size], [self.hidden_size]
        x_TBG = F.layer_norm(F.linear(x_TBD, self.weight_ih), gates, self.gain_ih, self.bias, EPSILON)
        h_BH = c_BH = initial_state(x_TBD, self.hidden_size)
        states = []
        for x_BG in x_TBG.unbind():
            gates_BG = x_BG + F.layer_norm(F.linear(h_BH, weight_hh), gates, self.gain_hh, None, EPSILON)
            i_BH, f_BH, g_BH, o_BH = gates_BG.chunk(4, dim=1)
            c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
            h_BH = torch.sigmoid(o_BH) * torch.tanh(F.layer_norm(c_BH, units, self.gain_c, self.bias_c, EPSILON))
            states.append(h_BH)
        return torch.stack(states)


LAYERS: dict[Cell, Callable[[int, int], Recurrent]] = {
    "lstm": FusedLstm,
    "gru": FusedGru,
    "rnn": FusedRnn,
    "peephole": PeepholeLstm,
    "layernorm": LayerNormLstm,
}


def initial_state(x_TBD: Tensor, hidden_size: int) -> Tensor:
    """Zeros [B, H] where and as the input is."""
    return x_TBD.new_zeros(x_TBD.shape[1], hidden_size)
