"""The written-out relatives of the LSTM against plain NumPy, term by term, and against PyTorch's own cells."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from model.cell import LstmCell, next_state
from model.cells import CELLS, GruCell, LayerNormCell, PeepholeCell, RnnCell, SruCell

Floats = npt.NDArray[np.float64]

D, H, B, T = 5, 4, 3, 6


def _randomise(cell: Any) -> Any:
    """Distinct weights everywhere, so that no two gates can be swapped unnoticed."""
    torch.manual_seed(0)
    for parameter in cell.double().parameters():
        nn.init.normal_(parameter, std=0.7)
    return cell


def _numbers(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().numpy(), dtype=np.float64)


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z)))


def _blocks(cell: Any, num_gates: int) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """W, U and b of each gate."""
    w, u, b = (_numbers(getattr(cell, name)) for name in ("weight_ih", "weight_hh", "bias"))
    rows = [slice(k * H, (k + 1) * H) for k in range(num_gates)]
    return [w[r] for r in rows], [u[r] for r in rows], [b[r] for r in rows]


def _peephole_by_hand(cell: PeepholeCell, xs: Floats) -> Floats:
    """One text [T, D] through Gers & Schmidhuber's equations; the last hidden state."""
    (w_i, w_f, w_g, w_o), (u_i, u_f, u_g, u_o), (b_i, b_f, b_g, b_o) = _blocks(cell, 4)
    p = _numbers(cell.peephole)
    p_i, p_f, p_o = p[:H], p[H : 2 * H], p[2 * H :]
    h, c = np.zeros(H), np.zeros(H)
    for x in xs:
        i = _sigmoid(w_i @ x + u_i @ h + p_i * c + b_i)
        f = _sigmoid(w_f @ x + u_f @ h + p_f * c + b_f)
        c = f * c + i * np.tanh(w_g @ x + u_g @ h + b_g)
        o = _sigmoid(w_o @ x + u_o @ h + p_o * c + b_o)
        h = o * np.tanh(c)
    return h


def _normalised(z: Floats) -> Floats:
    return np.asarray((z - z.mean()) / np.sqrt(z.var() + 1e-5))


def _layernorm_by_hand(cell: LayerNormCell, xs: Floats) -> Floats:
    """One text [T, D] through eqs. 20 to 22 of Ba et al.; the last hidden state."""
    w, u, b, a, a_h, a_c, b_c = (
        _numbers(getattr(cell, name))
        for name in ("weight_ih", "weight_hh", "bias", "gain_ih", "gain_hh", "gain_c", "bias_c")
    )
    h, c = np.zeros(H), np.zeros(H)
    for x in xs:
        sums = a_h * _normalised(u @ h) + a * _normalised(w @ x) + b
        i, f, g, o = (sums[k * H : (k + 1) * H] for k in range(4))
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(a_c * _normalised(c) + b_c)
    return h


def _sru_by_hand(cell: SruCell, xs: Floats) -> Floats:
    """One text [T, D] through eqs. 1 to 4 of Lei et al.; the last hidden state."""
    w, b, (v_f, v_r) = (_numbers(getattr(cell, name)) for name in ("weight_ih", "bias", "weight_hh"))
    h, c = np.zeros(H), np.zeros(H)
    for x in xs:
        z_f, z_r, z_c, z_s = (w @ x + b).reshape(4, H)
        f, r = _sigmoid(z_f + v_f * c), _sigmoid(z_r + v_r * c)
        c = f * c + (1 - f) * z_c
        h = r * c + (1 - r) * z_s
    return h


BY_HAND = [(PeepholeCell, _peephole_by_hand), (LayerNormCell, _layernorm_by_hand), (SruCell, _sru_by_hand)]


def _last_hidden(cell: Any, x_TBD: Tensor) -> Tensor:
    states_TBH: Tensor = cell(x_TBD)
    return states_TBH[-1]


@pytest.mark.parametrize(("kind", "by_hand"), BY_HAND)
def test_agrees_with_the_equations_by_hand(kind: Any, by_hand: Any) -> None:
    cell = _randomise(kind(D, H))
    x_TBD = torch.randn(T, B, D, dtype=torch.float64)
    h_BH = _numbers(_last_hidden(cell, x_TBD))
    for row in range(B):
        np.testing.assert_allclose(h_BH[row], by_hand(cell, _numbers(x_TBD[:, row])), atol=1e-12)


@pytest.mark.parametrize(("kind", "by_hand"), BY_HAND)
def test_gradient_agrees_with_differences_of_the_equations_by_hand(kind: Any, by_hand: Any) -> None:
    cell = _randomise(kind(D, H))
    x_TBD = torch.randn(T, B, D, dtype=torch.float64)
    weights_H = torch.tensor(
        [1.0, -2.0, 0.5, 3.0], dtype=torch.float64
    )  # distinct, so that no two units can be swapped
    (_last_hidden(cell, x_TBD)[0] @ weights_H).backward()
    step = 1e-6
    for name, parameter in cell.named_parameters():
        for place in range(0, parameter.numel(), 3):
            values = []
            for moved in (step, -step):
                with torch.no_grad():
                    parameter.view(-1)[place] += moved
                    values.append(by_hand(cell, _numbers(x_TBD[:, 0])) @ weights_H.numpy())
                    parameter.view(-1)[place] -= moved
            wanted = (values[0] - values[1]) / (2 * step)
            assert parameter.grad.view(-1)[place].item() == pytest.approx(wanted, abs=1e-7), name


@pytest.mark.parametrize(
    ("kind", "torch_kind"), [(GruCell, nn.GRUCell), (RnnCell, nn.RNNCell), (LstmCell, nn.LSTMCell)]
)
def test_agrees_with_torch_forward_and_gradient(kind: Any, torch_kind: Any) -> None:
    ours, theirs = _randomise(kind(D, H)), torch_kind(D, H).double()
    with torch.no_grad():
        theirs.weight_ih.copy_(ours.weight_ih)
        theirs.weight_hh.copy_(ours.weight_hh)
        theirs.bias_ih.copy_(ours.bias)
        theirs.bias_hh.zero_()
    x_TBD = torch.randn(T, B, D, dtype=torch.float64)
    h_BH = _last_hidden(ours, x_TBD)

    state: Any = None
    for x_BD in x_TBD:
        state = theirs(x_BD, state)
    wanted_BH = state[0] if isinstance(state, tuple) else state
    torch.testing.assert_close(h_BH, wanted_BH)

    weights_BH = torch.randn_like(h_BH)
    (h_BH * weights_BH).sum().backward()
    (wanted_BH * weights_BH).sum().backward()
    torch.testing.assert_close(ours.weight_ih.grad, theirs.weight_ih.grad)
    torch.testing.assert_close(ours.weight_hh.grad, theirs.weight_hh.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias_ih.grad)


def test_without_peepholes_it_is_an_lstm() -> None:
    peephole, lstm = _randomise(PeepholeCell(D, H)), LstmCell(D, H).double()
    nn.init.zeros_(peephole.peephole)
    lstm.load_state_dict({name: w for name, w in peephole.state_dict().items() if name != "peephole"})
    x_TBD = torch.randn(T, B, D, dtype=torch.float64)
    torch.testing.assert_close(_last_hidden(peephole, x_TBD), _last_hidden(lstm, x_TBD))


def test_layer_normalisation_does_not_notice_the_scale_of_the_weights() -> None:
    """The property for which it is made (Ba et al. 2016, table 1)."""
    cell = _randomise(LayerNormCell(D, H))
    x_TBD = torch.randn(T, B, D, dtype=torch.float64)
    before = _last_hidden(cell, x_TBD)
    with torch.no_grad():
        cell.weight_ih *= 7
        cell.weight_hh *= 7
    torch.testing.assert_close(_last_hidden(cell, x_TBD), before, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_without_a_cell_state_hands_it_on(name: Any) -> None:
    cell = _randomise(CELLS[name](D, H))
    state = (torch.randn(B, H).double(), torch.randn(B, H).double())
    trace = cell.step(cell.project(torch.randn(B, D).double()), state, cell.weight_hh)
    changed = not torch.equal(next_state(trace, state)[1], state[1])
    assert changed == (name not in ("gru", "rnn"))
