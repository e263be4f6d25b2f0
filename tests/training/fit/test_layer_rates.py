"""Each layer gets its share of the learning rate, and the optimizer keeps to it."""

import pytest
import torch
from torch import nn

from model.config import Architecture
from model.network import RecurrentClassifier
from training.fit.layer_rates import layer_rates
from training.fit.optimizer import RowAdamW


def rates_by_part(architecture: Architecture, decay: float) -> dict[str, float]:
    network = RecurrentClassifier(architecture, 2)
    rates = dict(zip(network.weights(), layer_rates(network, decay), strict=True))
    return {name.removesuffix(".weight_hh").removesuffix(".weight"): rate for name, rate in rates.items()}


def test_each_layer_below_learns_slower_and_the_embedding_slowest() -> None:
    rates = rates_by_part(Architecture(vocab_size=9, embedding_dim=3, hidden_size=2, num_layers=2), 0.5)
    assert rates["head"] == rates["head.bias"] == 1.0
    assert rates["layers.1.0"] == rates["layers.1.1"] == 0.5
    assert rates["layers.0.0"] == rates["layers.0.1"] == 0.25
    assert rates["embedding"] == 0.125


def test_a_convolution_is_a_layer_and_attention_belongs_to_the_head() -> None:
    shape = Architecture(vocab_size=9, embedding_dim=3, hidden_size=2, conv_width=3, pooling="attention")
    rates = rates_by_part(shape, 0.1)
    assert rates["attention.context"] == 1.0
    assert rates["layers.0.0"] == pytest.approx(0.1)
    assert rates["convolution"] == pytest.approx(0.01)
    assert rates["embedding"] == pytest.approx(0.001)


def test_no_decay_is_one_rate() -> None:
    assert set(rates_by_part(Architecture(vocab_size=9, embedding_dim=3, hidden_size=2), 1.0).values()) == {1.0}


def test_the_optimizer_multiplies_each_rate_by_its_factor() -> None:
    """The first step of Adam is the rate itself times the sign of the gradient; the decay is that rate's too."""
    dense, vector, table = nn.Parameter(torch.ones(1, 1)), nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(2, 1))
    optimizer = RowAdamW([dense, vector, table], betas=(0.9, 0.99), weight_decay=0.5, factors=[1.0, 0.5, 0.1])
    dense.grad, vector.grad = torch.full((1, 1), 3.0), torch.full((1,), 3.0)
    torch.embedding(table, torch.tensor([1]), sparse=True).sum().backward()
    optimizer.step(0.01)
    assert dense.item() == pytest.approx(1 * (1 - 0.01 * 0.5) - 0.01)
    assert vector.item() == pytest.approx(1 - 0.005)
    assert table.flatten().tolist() == pytest.approx([1.0, 1 - 0.001])
