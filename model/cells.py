"""The other recurrent cells written out once, to be read beside `model.cell.LstmCell`.

A GRU and a plain RNN have no cell state and leave c as it is.

Shape suffixes: T time steps, B batch, D input width, H hidden units, G = gates * H.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.cell import LstmCell, RecurrentCell, State, Trace
from model.config import Cell


class RnnCell(RecurrentCell):
    """One time step of a plain recurrent network, without gates.

        h_t = tanh(W x_t + U h_{t-1} + b)

    Nothing carries a state on unchanged: over many steps the gradient is a product of as many matrices U, and vanishes
    or explodes (Bengio et al. 1994). That is what the gates of the others are for.

    Source: Elman 1990, "Finding Structure in Time".
    """

    num_gates = 1

    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes `hidden`, and nothing else."""
        return {"hidden": torch.tanh(x_BG + F.linear(state[0], weight_hh))}


class GruCell(RecurrentCell):
    """One time step of a gated recurrent unit: two gates, and no cell state beside the hidden one.

        r_t = σ(W_r x_t + U_r h_{t-1} + b_r)            reset gate: how much of the past the candidate sees
        z_t = σ(W_z x_t + U_z h_{t-1} + b_z)            update gate: how much of the past stays
        n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_{t-1}))   candidate
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    Source: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", eqs. 5 to 8. There the reset
    gate acts before U_n; here, as in cuDNN and `torch.nn.GRU`, after it, so that one product serves all three.

    Stacked in the order r, z, n. A second bias inside the bracket, which `torch.nn.GRU` has, is left out.
    """

    num_gates = 3

    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes `reset`, `update`, `candidate` and `hidden`."""
        h_BH = state[0]
        xr_BH, xz_BH, xn_BH = x_BG.chunk(3, dim=1)
        hr_BH, hz_BH, hn_BH = F.linear(h_BH, weight_hh).chunk(3, dim=1)
        r_BH, z_BH = torch.sigmoid(xr_BH + hr_BH), torch.sigmoid(xz_BH + hz_BH)
        n_BH = torch.tanh(xn_BH + r_BH * hn_BH)
        return {"reset": r_BH, "update": z_BH, "candidate": n_BH, "hidden": (1 - z_BH) * n_BH + z_BH * h_BH}


class PeepholeCell(RecurrentCell):
    """One time step of an LSTM whose gates see the cell state, each unit its own, also when the output gate hides it.

        i_t = σ(W_i x_t + U_i h_{t-1} + p_i ⊙ c_{t-1} + b_i)
        f_t = σ(W_f x_t + U_f h_{t-1} + p_f ⊙ c_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        o_t = σ(W_o x_t + U_o h_{t-1} + p_o ⊙ c_t + b_o)         the new cell, not the old
        h_t = o_t ⊙ tanh(c_t)

    Source: Gers & Schmidhuber 2000, "Recurrent Nets that Time and Count", section 3.

    Gates as in `LstmCell`, stacked i, f, g, o; `peephole` [3H] is p, stacked i, f, o. Peepholes begin at zero, as an
    LSTM without them.
    """

    num_gates = 4
    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.peephole = nn.Parameter(torch.zeros(3 * hidden_size))

    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes the same names as `LstmCell.step`."""
        h_BH, c_BH = state
        p_i, p_f, p_o = self.peephole.chunk(3)
        i_BH, f_BH, g_BH, o_BH = (x_BG + F.linear(h_BH, weight_hh)).chunk(4, dim=1)
        i_BH, f_BH, g_BH = torch.sigmoid(i_BH + p_i * c_BH), torch.sigmoid(f_BH + p_f * c_BH), torch.tanh(g_BH)
        c_BH = f_BH * c_BH + i_BH * g_BH
        o_BH = torch.sigmoid(o_BH + p_o * c_BH)
        h_BH = o_BH * torch.tanh(c_BH)
        return {"input": i_BH, "forget": f_BH, "candidate": g_BH, "output": o_BH, "cell": c_BH, "hidden": h_BH}


class LayerNormCell(RecurrentCell):
    """One time step of an LSTM whose sums are normalised over the units of a layer, each time step by itself.

        (i_t, f_t, g_t, o_t) = LN(W x_t; a) + LN(U h_{t-1}; a') + b
        c_t = σ(f_t) ⊙ c_{t-1} + σ(i_t) ⊙ tanh(g_t)
        h_t = σ(o_t) ⊙ tanh(LN(c_t; a'') + b'')

    where LN(z; a) = a ⊙ (z - mean(z)) / sqrt(var(z) + ε), over all 4H sums at once in the first line.

    Source: Ba, Kiros & Hinton 2016, "Layer Normalization", eqs. 3 and 20 to 22. Of the three biases of eq. 20 only
    their sum matters, and only that is kept.

    Gates as in `LstmCell`, stacked i, f, g, o; `gain_ih` [4H] is a, `gain_hh` [4H] a', `gain_c` [H] a'', `bias_c` [H]
    b''.
    """

    num_gates = 4
    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain_ih = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_hh = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_c = nn.Parameter(torch.ones(hidden_size))
        self.bias_c = nn.Parameter(torch.zeros(hidden_size))

    def project(self, x: Tensor) -> Tensor:
        """The input's part of the gates, LN(W x; a) + b, [..., 4H] of [..., D]."""
        return normalise(F.linear(x, self.weight_ih), self.gain_ih, self.bias)

    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes the same names as `LstmCell.step`; `cell` is c_t before it is normalised."""
        h_BH, c_BH = state
        gates_BG = x_BG + normalise(F.linear(h_BH, weight_hh), self.gain_hh)
        i_BH, f_BH, g_BH, o_BH = gates_BG.chunk(4, dim=1)
        i_BH, f_BH, g_BH, o_BH = torch.sigmoid(i_BH), torch.sigmoid(f_BH), torch.tanh(g_BH), torch.sigmoid(o_BH)
        c_BH = f_BH * c_BH + i_BH * g_BH
        h_BH = o_BH * torch.tanh(normalise(c_BH, self.gain_c, self.bias_c))
        return {"input": i_BH, "forget": f_BH, "candidate": g_BH, "output": o_BH, "cell": c_BH, "hidden": h_BH}


class SruCell(RecurrentCell):
    """One time step of a simple recurrent unit: no matrix stands between a state and the next.

        f_t = σ(W_f x_t + v_f ⊙ c_{t-1} + b_f)       forget gate: how much of the old cell stays
        r_t = σ(W_r x_t + v_r ⊙ c_{t-1} + b_r)       reset gate: how much of the cell is shown
        c_t = f_t ⊙ c_{t-1} + (1 - f_t) ⊙ (W_c x_t + b_c)
        h_t = r_t ⊙ c_t + (1 - r_t) ⊙ (W_s x_t + b_s)        else the input passes it by

    Each unit remembers by itself, and sees the others in the layer above only. All products are of the input: one for
    the whole text.

    Source: Lei et al. 2018, "Simple Recurrent Units for Highly Parallelizable Recurrence", eqs. 1 to 4. There the input
    itself passes by, times a constant; W_s makes it as wide as the layer. W_c and W_s have biases here.

    Stacked in the order f, r, c, s; `weight_hh` [2, H] is v_f and v_r, which begin at zero.
    """

    num_gates = 4
    forget_gate = 0

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight_hh = nn.Parameter(torch.zeros(2, hidden_size))

    def step(self, x_BG: Tensor, state: State, weight_hh: Tensor) -> Trace:
        """Computes `forget`, `reset`, `candidate`, `cell` and `hidden`."""
        c_BH = state[1]
        v_f, v_r = weight_hh
        f_BH, r_BH, g_BH, s_BH = x_BG.chunk(4, dim=1)
        f_BH, r_BH = torch.sigmoid(f_BH + v_f * c_BH), torch.sigmoid(r_BH + v_r * c_BH)
        c_BH = f_BH * c_BH + (1 - f_BH) * g_BH
        h_BH = r_BH * c_BH + (1 - r_BH) * s_BH
        return {"forget": f_BH, "reset": r_BH, "candidate": g_BH, "cell": c_BH, "hidden": h_BH}


EPSILON = 1e-5
"""ε, added to the variance, as in `torch.nn.LayerNorm`: the first hidden state is zero and has none."""

CELLS: dict[Cell, Callable[[int, int], RecurrentCell]] = {
    "lstm": LstmCell,
    "gru": GruCell,
    "rnn": RnnCell,
    "peephole": PeepholeCell,
    "layernorm": LayerNormCell,
    "sru": SruCell,
}


def normalise(z: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
    """LN(z; gain) + bias over the last axis."""
    return F.layer_norm(z, list(gain.shape), gain, bias, EPSILON)
