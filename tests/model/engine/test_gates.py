"""Four gates of whole blocks stand for the layers of an LSTM, of a GRU, and for attention."""

from typing import Any

import numpy as np
import pytest
import torch

from model.config import Architecture
from model.engine.gates import Gates, attention_weights, head_weights, layer_gates
from model.network import RecurrentClassifier, to_arrays

HIDDEN, FILLED = 20, 32
COMMON = Architecture(vocab_size=5, embedding_dim=8, hidden_size=HIDDEN, num_layers=2)


def _weights(**shape: Any) -> tuple[Architecture, dict[str, np.ndarray]]:
    architecture = COMMON.model_copy(update=shape)
    torch.manual_seed(0)
    weights = to_arrays(RecurrentClassifier(architecture, 3).weights())
    return architecture, {name: array.copy() for name, array in weights.items()}


def _gate(gates: Gates, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = slice(number * FILLED, (number + 1) * FILLED)
    return gates.weight_ih_GE[rows], gates.weight_hh_GH[rows], gates.bias_G[rows]


def test_units_are_added_to_each_gate_and_each_direction_that_it_reads() -> None:
    architecture, weights = _weights()
    of_input, of_state, _ = _gate(layer_gates(architecture, weights, 1, 0), 2)
    assert (of_input.shape, of_state.shape) == ((FILLED, 2 * FILLED), (FILLED, FILLED))
    rows = slice(2 * HIDDEN, 3 * HIDDEN)
    np.testing.assert_array_equal(of_state[:HIDDEN, :HIDDEN], weights["layers.1.0.weight_hh"][rows])
    np.testing.assert_array_equal(of_input[:HIDDEN, :HIDDEN], weights["layers.1.0.weight_ih"][rows, :HIDDEN])
    backward = of_input[:HIDDEN, FILLED : FILLED + HIDDEN]
    np.testing.assert_array_equal(backward, weights["layers.1.0.weight_ih"][rows, HIDDEN:])
    assert np.abs(of_input).sum() == pytest.approx(np.abs(weights["layers.1.0.weight_ih"][rows]).sum())


def test_the_embedding_keeps_its_width() -> None:
    architecture, weights = _weights()
    assert layer_gates(architecture, weights, 0, 1).weight_ih_GE.shape == (4 * FILLED, 8)


def test_the_candidate_of_a_gru_is_in_two_parts() -> None:
    architecture, weights = _weights(cell="gru")
    gates = layer_gates(architecture, weights, 0, 0)
    candidate = slice(2 * HIDDEN, 3 * HIDDEN)
    of_input, of_state, bias = _gate(gates, 2)
    assert not of_input.any()
    assert not bias.any()
    np.testing.assert_array_equal(of_state[:HIDDEN, :HIDDEN], weights["layers.0.0.weight_hh"][candidate])
    of_input, of_state, bias = _gate(gates, 3)
    assert not of_state.any()
    np.testing.assert_array_equal(of_input[:HIDDEN], weights["layers.0.0.weight_ih"][candidate])
    np.testing.assert_array_equal(bias[:HIDDEN], weights["layers.0.0.bias"][candidate])


def test_attention_fills_whole_blocks_of_four_gates() -> None:
    architecture, weights = _weights(pooling="attention")
    attention = attention_weights(architecture, weights)
    assert attention.weight_US.shape == (64, 2 * FILLED)
    assert attention.bias_U.shape == attention.context_U.shape == (64,)
    matrix = weights["attention.project.weight"]
    np.testing.assert_array_equal(attention.weight_US[: 2 * HIDDEN, FILLED : FILLED + HIDDEN], matrix[:, HIDDEN:])
    np.testing.assert_array_equal(attention.context_U[: 2 * HIDDEN], weights["attention.context.weight"][0])
    assert not attention.context_U[2 * HIDDEN :].any()


def test_the_head_reads_nothing_of_units_that_were_added() -> None:
    architecture, weights = _weights()
    head = head_weights(architecture, weights)
    assert head.shape == (3, 6 * FILLED)
    np.testing.assert_array_equal(head.reshape(3, 6, FILLED)[:, :, :HIDDEN].reshape(3, -1), weights["head.weight"])
    assert not head.reshape(3, 6, FILLED)[:, :, HIDDEN:].any()
