"""Initial weights of the recurrent layers and their number formats; test_network.py checks their results."""

import pytest
import torch

from model.cells import CELLS
from model.config import Cell
from model.recurrent import LAYERS


@pytest.mark.parametrize("name", LAYERS)
def test_has_the_parameters_of_its_written_out_cell(name: Cell) -> None:
    layer, cell = LAYERS[name](5, 4), CELLS[name](5, 4)
    assert {n: p.shape for n, p in layer.named_parameters()} == {n: p.shape for n, p in cell.named_parameters()}
    assert layer.state_dict().keys() == cell.state_dict().keys(), "a constant is stored"


@pytest.mark.parametrize("name", LAYERS)
def test_begins_with_orthogonal_recurrence_and_an_open_forget_gate(name: Cell) -> None:
    layer = LAYERS[name](5, 4)
    if name == "sru":
        assert not layer.weight_hh.any()  # there is no matrix between its states
    else:
        for gate in layer.weight_hh.chunk(layer.num_gates):
            torch.testing.assert_close(gate @ gate.T, torch.eye(4))
    biases = [gate.unique().tolist() for gate in layer.bias.chunk(layer.num_gates)]
    assert biases == [[1.0] if gate == layer.forget_gate else [0.0] for gate in range(layer.num_gates)]
    assert (layer.forget_gate is None) == (name in ("gru", "rnn"))


@pytest.mark.parametrize("name", LAYERS)
def test_runs_in_bfloat16_and_under_autocast(name: Cell) -> None:
    torch.manual_seed(0)
    layer, x_TBD = LAYERS[name](5, 4), torch.randn(6, 3, 5)
    wanted = layer(x_TBD)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = layer(x_TBD)
    mixed.float().sum().backward()
    torch.testing.assert_close(mixed.float(), wanted, atol=0.05, rtol=0.05)
    assert layer.weight_hh.grad is not None
    small = layer.to(torch.bfloat16)(x_TBD.bfloat16())
    assert small.dtype == torch.bfloat16
    torch.testing.assert_close(small.float(), wanted, atol=0.05, rtol=0.05)
