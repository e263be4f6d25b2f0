"""Shapes that are known without PyTorch are those of the network."""

from itertools import product
from typing import Any, get_args

import pytest
import torch

from model.config import Architecture, Cell, Pooling
from model.network import RecurrentClassifier
from model.parameters import weight_shapes

SHAPES: list[dict[str, Any]] = [
    *({"cell": cell, "num_layers": layers} for cell, layers in product(get_args(Cell), (1, 2))),
    *({"pooling": pooling, "bidirectional": both} for pooling, both in product(get_args(Pooling), (True, False))),
    {"num_layers": 0, "pooling": "mean"},
    {"num_layers": 0, "pooling": "attention"},
    {"conv_width": 5},
    {"ngram_buckets": 16, "ngram_order": 3},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_weight_has_its_name_and_shape(shape: dict[str, Any]) -> None:
    architecture = Architecture(vocab_size=11, embedding_dim=4, hidden_size=6).model_copy(update=shape)
    with torch.device("meta"):
        weights = RecurrentClassifier(architecture, 3).weights()
    assert weight_shapes(architecture, 3) == {name: tuple(weight.shape) for name, weight in weights.items()}
