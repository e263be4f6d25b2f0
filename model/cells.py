"""The relatives of the LSTM written out once, to be read beside `model.cell.LstmCell`.

References like that one: plain and slow; `model.recurrent` computes the same in bulk. Each takes an input step [B, D]
and a state (h, c) and returns the next state; a GRU and a plain RNN have no cell state and hand `c` on as it is.
Gates are stacked in the rows of `weight_ih`, W, [gates * H, D], of `weight_hh`, U, [gates * H, H], and of `bias`, b.

Shape suffixes: B batch, D input width, H hidden units.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from model.cell import LstmCell, State, Trace
from model.config import Cell


class GatedCell(nn.Module, ABC):
    """The weights that all have, drawn as `LstmCell` draws them."""

    def __init__(self, num_gates: int, input_size: int, hidden_size: int) -> None:
        super().__init__()
        rows, bound = num_gates * hidden_size, hidden_size**-0.5
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))

    def forward(self, x_BD: Tensor, state: State) -> State:
        """Returns (h_t, c_t), each [B, H]; c as given by a cell without a cell state."""
        trace = self.trace(x_BD, state)
        return trace["hidden"], trace.get("cell", state[1])

    @abstractmethod
    def trace(self, x_BD: Tensor, state: State) -> Trace:
        """Everything that one step computes."""


class RnnCell(GatedCell):
    """One time step of a plain recurrent network, without gates.

        h_t = tanh(W x_t + U h_{t-1} + b)

    Nothing carries a state on unchanged: over many steps the gradient is a product of as many matrices U, and vanishes
    or explodes (Bengio et al. 1994). That is what the gates of the others are for.

    Source: Elman 1990, "Finding Structure in Time".
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(1, input_size, hidden_size)

    def trace(self, x_BD: Tensor, state: State) -> Trace:
        """`hidden` alone."""
        return {"hidden": torch.tanh(x_BD @ self.weight_ih.T + state[0] @ self.weight_hh.T + self.bias)}


class GruCell(GatedCell):
    """One time step of a gated recurrent unit: two gates, and no cell state beside the hidden one.

        r_t = σ(W_r x_t + U_r h_{t-1} + b_r)            reset gate: how much of the past the candidate sees
        z_t = σ(W_z x_t + U_z h_{t-1} + b_z)            update gate: how much of the past stays
        n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_{t-1}))   candidate
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    Source: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", eqs. 5 to 8. There the reset
    gate acts before U_n; here, as in cuDNN and `torch.nn.GRU`, after it, so that one product serves all three.

    Stacked in the order r, z, n. A second bias inside the bracket, which `torch.nn.GRU` has, is left out.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(3, input_size, hidden_size)

    def trace(self, x_BD: Tensor, state: State) -> Trace:
        """`reset`, `update`, `candidate` and `hidden`."""
        h_BH = state[0]
        xr_BH, xz_BH, xn_BH = (x_BD @ self.weight_ih.T + self.bias).chunk(3, dim=1)
        hr_BH, hz_BH, hn_BH = (h_BH @ self.weight_hh.T).chunk(3, dim=1)
        r_BH, z_BH = torch.sigmoid(xr_BH + hr_BH), torch.sigmoid(xz_BH + hz_BH)
        n_BH = torch.tanh(xn_BH + r_BH * hn_BH)
        return {"reset": r_BH, "update": z_BH, "candidate": n_BH, "hidden": (1 - z_BH) * n_BH + z_BH * h_BH}


class PeepholeCell(GatedCell):
    """One time step of an LSTM whose gates see the cell state, each unit its own, also when the output gate hides it.

        i_t = σ(W_i x_t + U_i h_{t-1} + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + p_f ⊙ c_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        o_t = σ(W_o x_t + U_o h_{t-1} + p_o ⊙ c_t + b_o)         the new cell, not the old
        h_t = o_t ⊙ tanh(c_t)

    Source: Gers & Schmidhuber 2000, "Recurrent Nets that Time and Count", section 3.

    Gates as in `LstmCell`, stacked i, f, g, o; `peephole` [3H] is p, stacked i, f, o.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(4, input_size, hidden_size)
        self.peephole = nn.Parameter(torch.empty(3 * hidden_size).uniform_(-1, 1) * hidden_size**-0.5)

    def trace(self, x_BD: Tensor, state: State) -> Trace:
        """As `LstmCell.trace`."""
        h_BH, c_BH = state
        p_i, p_f, p_o = self.peephole.chunk(3)
        i_BH, f_BH, g_BH, o_BH = (x_BD @ self.weight_ih.T + h_BH @ self.weight_hh.T + self.bias).chunk(4, dim=1)
        i_BH, f_BH, g_BH = torch.sigmoid(i_BH + p_i * c_BH), torch.sigmoid(f_BH + p_f * c_BH), torch.tanh(g_BH)
        c_BH = f_BH * c_BH + i_BH * g_BH
        o_BH = torch.sigmoid(o_BH + p_o * c_BH)
        h_BH = o_BH * torch.tanh(c_BH)
        return {"input": i_BH, "forget": f_BH, "candidate": g_BH, "output": o_BH, "cell": c_BH, "hidden": h_BH}


class LayerNormCell(GatedCell):
    """One time step of an LSTM whose sums are normalised over the units of a layer, each time step by itself.

        (i_t, f_t, g_t, o_t) = LN(W x_t; a) + LN(U h_{t-1}; a') + b
        c_t = σ(f_t) ⊙ c_{t-1} + σ(i_t) ⊙ tanh(g_t)
        h_t = σ(o_t) ⊙ tanh(LN(c_t; a'') + b'')

    where LN(z; a) = a ⊙ (z - mean(z)) / sqrt(var(z) + ε), over all 4H sums at once in the first line.

    Source: Ba, Kiros & Hinton 2016, "Layer Normalization", eqs. 20 to 22. Of the three biases of eq. 20 only their sum
    matters, and only that is kept.

    Gates as in `LstmCell`, stacked i, f, g, o; `gain_ih` [4H] is a, `gain_hh` [4H] a', `gain_c` [H] a'', `bias_c` [H]
    b''.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(4, input_size, hidden_size)
        self.gain_ih = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_hh = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_c = nn.Parameter(torch.ones(hidden_size))
        self.bias_c = nn.Parameter(torch.zeros(hidden_size))

    def trace(self, x_BD: Tensor, state: State) -> Trace:
        """As `LstmCell.trace`; `cell` is c_t before it is normalised."""
        h_BH, c_BH = state
        from_x = normalise(x_BD @ self.weight_ih.T) * self.gain_ih
        from_h = normalise(h_BH @ self.weight_hh.T) * self.gain_hh
        i_BH, f_BH, g_BH, o_BH = (from_x + from_h + self.bias).chunk(4, dim=1)
        i_BH, f_BH, g_BH, o_BH = torch.sigmoid(i_BH), torch.sigmoid(f_BH), torch.tanh(g_BH), torch.sigmoid(o_BH)
        c_BH = f_BH * c_BH + i_BH * g_BH
        h_BH = o_BH * torch.tanh(normalise(c_BH) * self.gain_c + self.bias_c)
        return {"input": i_BH, "forget": f_BH, "candidate": g_BH, "output": o_BH, "cell": c_BH, "hidden": h_BH}


EPSILON = 1e-5
"""Added to the variance, as in `torch.nn.LayerNorm`: the first hidden state is zero and has none."""

CELLS: dict[Cell, Callable[[int, int], LstmCell | GatedCell]] = {
    "lstm": LstmCell,
    "gru": GruCell,
    "rnn": RnnCell,
    "peephole": PeepholeCell,
    "layernorm": LayerNormCell,
}


def normalise(z_BN: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the units of each row.

    Source: Ba et al. 2016, eq. 3.
    """
    centred_BN = z_BN - z_BN.mean(dim=1, keepdim=True)
    return centred_BN / (centred_BN.square().mean(dim=1, keepdim=True) + EPSILON).sqrt()
