"""The written-out LSTM against plain-Python arithmetic and against PyTorch's fused kernels, forward and gradient."""

import math

import pytest
import torch
from torch import nn

from model.cell import LstmCell, LstmLayer, num_parameters


def _scalar_lstm(w: list[float], u: list[float], b: list[float], xs: list[float]) -> list[float]:
    """One unit, one input, no library: gates in the order i, f, g, o."""

    def sigmoid(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    h = c = 0.0
    states = []
    for x in xs:
        i, f, g, o = (w[k] * x + u[k] * h + b[k] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * math.tanh(g)
        h = sigmoid(o) * math.tanh(c)
        states.append(h)
    return states


def test_one_unit_by_hand() -> None:
    w, u, b = [0.5, -1.25, 2.0, 0.75], [-0.3, 0.9, 1.1, -2.2], [0.1, 1.0, -0.4, 0.2]
    xs = [1.0, -0.5, 2.0, 0.25]
    layer = LstmLayer(1, 1)
    cell = layer.cell()
    with torch.no_grad():
        cell.weight_ih.copy_(torch.tensor(w).unsqueeze(1))
        cell.weight_hh.copy_(torch.tensor(u).unsqueeze(1))
        cell.bias.copy_(torch.tensor(b))
    states, _ = layer(torch.tensor(xs).view(-1, 1, 1), torch.tensor([4]))
    assert states.flatten().tolist() == pytest.approx(_scalar_lstm(w, u, b, xs), abs=1e-6)


def test_parameter_count_follows_the_formula() -> None:
    assert sum(p.numel() for p in LstmCell(100, 256).parameters()) == num_parameters(100, 256) == 365_568
    assert sum(p.numel() for p in nn.LSTM(100, 256).parameters()) == num_parameters(100, 256, biases=2) == 366_592


def _twins(num_layers: int, bidirectional: bool) -> tuple[LstmLayer, nn.LSTM]:
    """The reference and `nn.LSTM` with the same distinct random weights; PyTorch's second bias is zero."""
    torch.manual_seed(num_layers * 2 + bidirectional)
    reference = LstmLayer(5, 4, num_layers=num_layers, bidirectional=bidirectional).double()
    fused = nn.LSTM(5, 4, num_layers=num_layers, bidirectional=bidirectional).double()
    with torch.no_grad():
        for index in range(len(reference.cells)):
            layer, direction = divmod(index, reference.num_directions)
            cell = reference.cell(layer, direction)
            suffix = f"l{layer}" + ("_reverse" if direction else "")
            nn.init.normal_(cell.bias)
            getattr(fused, f"weight_ih_{suffix}").copy_(cell.weight_ih)
            getattr(fused, f"weight_hh_{suffix}").copy_(cell.weight_hh)
            getattr(fused, f"bias_ih_{suffix}").copy_(cell.bias)
            getattr(fused, f"bias_hh_{suffix}").zero_()
    return reference, fused


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("with_initial", [False, True])
def test_agrees_with_packed_torch(num_layers: int, bidirectional: bool, with_initial: bool) -> None:
    reference, fused = _twins(num_layers, bidirectional)
    lengths = torch.tensor([7, 1, 4])
    x = torch.randn(7, 3, 5, dtype=torch.float64)
    count = num_layers * (2 if bidirectional else 1)
    initial = (torch.randn(count, 3, 4).double(), torch.randn(count, 3, 4).double()) if with_initial else None
    x_reference, x_fused = x.clone().requires_grad_(), x.clone().requires_grad_()

    states, (h, c) = reference(x_reference, lengths, initial)
    packed = nn.utils.rnn.pack_padded_sequence(x_fused, lengths, enforce_sorted=False)
    packed_states, (packed_h, packed_c) = fused(packed, initial)
    fused_states, _ = nn.utils.rnn.pad_packed_sequence(packed_states)

    torch.testing.assert_close(states, fused_states)
    torch.testing.assert_close(h, packed_h)
    torch.testing.assert_close(c, packed_c)

    # Distinct weights of each output, so that no two can be swapped unnoticed.
    weights = torch.randn_like(states)
    ((states * weights).sum() + h.sum() + 2 * c.sum()).backward()
    ((fused_states * weights).sum() + packed_h.sum() + 2 * packed_c.sum()).backward()
    torch.testing.assert_close(x_reference.grad, x_fused.grad)
    torch.testing.assert_close(reference.cell().weight_hh.grad, fused.weight_hh_l0.grad)
    torch.testing.assert_close(reference.cell().weight_ih.grad, fused.weight_ih_l0.grad)
    torch.testing.assert_close(reference.cell().bias.grad, fused.bias_ih_l0.grad)


def test_reversed_text_with_directions_swapped_is_the_mirror_image() -> None:
    torch.manual_seed(0)
    layer = LstmLayer(3, 4, bidirectional=True)
    mirror = LstmLayer(3, 4, bidirectional=True)
    mirror.cell(direction=0).load_state_dict(layer.cell(direction=1).state_dict())
    mirror.cell(direction=1).load_state_dict(layer.cell(direction=0).state_dict())
    x, lengths = torch.randn(6, 2, 3), torch.tensor([6, 6])
    states, _ = layer(x, lengths)
    mirrored, _ = mirror(x.flip(0), lengths)
    torch.testing.assert_close(states, torch.cat([mirrored[..., 4:], mirrored[..., :4]], dim=2).flip(0))
    assert not torch.allclose(states[..., :4], states[..., 4:])


def test_a_row_without_steps_keeps_its_initial_state() -> None:
    layer = LstmLayer(3, 4)
    initial = (torch.randn(1, 2, 4), torch.randn(1, 2, 4))
    states, (h, c) = layer(torch.randn(5, 2, 3), torch.tensor([0, 5]), initial)
    torch.testing.assert_close(h[0, 0], initial[0][0, 0])
    torch.testing.assert_close(c[0, 0], initial[1][0, 0])
    assert states[:, 0].abs().max() == 0
