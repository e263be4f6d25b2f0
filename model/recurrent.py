"""Recurrent layers that train and serve: one layer in one direction, all time steps at once.

One interface, that of `model.cell.RecurrentCell`: built from (input_size, hidden_size), called with
the input [T, B, D], gives every hidden state [T, B, H] from a zero initial state. LSTM, GRU and
plain RNN have the weights of their cells and run on PyTorch's fused kernels. The peephole and the
layer-normalised LSTM and the simple recurrent unit have no kernel: there the cell itself takes its
steps one by one.

Shape suffixes: T time steps, B batch, D input width, H hidden units.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from model.cell import LstmCell, RecurrentCell
from model.cells import GruCell, LayerNormCell, PeepholeCell, RnnCell, SruCell
from model.config import Cell


class Fused(RecurrentCell):
    """A layer on PyTorch's fused kernel; PyTorch's second bias is a constant zero here."""

    def weights(self, weight_hh: Tensor) -> list[Tensor]:
        """Weights in the order of the kernels' arguments."""
        return [self.weight_ih, weight_hh, self.bias, torch.zeros_like(self.bias)]


class FusedLstm(Fused, LstmCell):
    """An LSTM layer, `model.cell.LstmCell` over time."""

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        state, weights = [s.unsqueeze(0) for s in self.initial_state(x_TBD)], self.weights(weight_hh)
        states_TBH: Tensor = torch.lstm(x_TBD, state, weights, True, 1, 0.0, self.training, False, False)[0]
        return states_TBH


class FusedGru(Fused, GruCell):
    """A GRU layer, `model.cells.GruCell` over time."""

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        zeros, weights = self.initial_state(x_TBD)[0].unsqueeze(0), self.weights(weight_hh)
        states_TBH: Tensor = torch.gru(x_TBD, zeros, weights, True, 1, 0.0, self.training, False, False)[0]
        return states_TBH


class FusedRnn(Fused, RnnCell):
    """A layer of a plain RNN, `model.cells.RnnCell` over time."""

    def states(self, x_TBD: Tensor, weight_hh: Tensor) -> Tensor:
        """All hidden states [T, B, H] with these recurrent weights."""
        zeros, weights = self.initial_state(x_TBD)[0].unsqueeze(0), self.weights(weight_hh)
        states_TBH: Tensor = torch.rnn_tanh(x_TBD, zeros, weights, True, 1, 0.0, self.training, False, False)[0]
        return states_TBH


LAYERS: dict[Cell, Callable[[int, int], RecurrentCell]] = {
    "lstm": FusedLstm,
    "gru": FusedGru,
    "rnn": FusedRnn,
    "peephole": PeepholeCell,
    "layernorm": LayerNormCell,
    "sru": SruCell,
}
