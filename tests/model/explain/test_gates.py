"""The gates that are shown are those of the network that answers: what follows from them is its answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.batch import Ids
from model.checkpoint import load_checkpoint
from model.classifier import Classifier
from model.config import Architecture
from model.encoder import reverse, reverse_order
from model.engine.cpu import unfit
from model.explain.gates import TracedLayer, trace
from model.network import RecurrentClassifier
from model.padding import pad
from model.recurrent import LAYERS
from model.text import Encoded, TextEncoder

SHIPPED = Path(__file__).parents[3] / "checkpoints" / "sentiment"

LSTM = {"input", "forget", "candidate", "output", "cell", "hidden"}
NAMES = {
    "lstm": LSTM,
    "peephole": LSTM,
    "layernorm": LSTM,
    "gru": {"reset", "update", "candidate", "hidden"},
    "rnn": {"hidden"},
    "sru": {"forget", "reset", "candidate", "cell", "hidden"},
}


def _network(**shape: Any) -> RecurrentClassifier:
    torch.manual_seed(0)
    values: dict[str, Any] = {"vocab_size": 20, "embedding_dim": 5, "hidden_size": 4} | shape
    network = RecurrentClassifier(Architecture(**values), 3).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.5)
    return network


def _pooled(network: RecurrentClassifier, traced: list[TracedLayer], ids: Ids) -> Tensor:
    """Logits [C] from the hidden states of the top layer."""
    batch = pad([ids])
    order = reverse_order(batch.lengths_B, len(batch.ids_TB))
    top = [layer for layer in traced if layer.layer == network.architecture.num_layers - 1]
    states = [layer.states_TH["hidden"].unsqueeze(1) for layer in top]
    states = [
        reverse(states_TBH, order) if layer.backward else states_TBH
        for layer, states_TBH in zip(top, states, strict=True)
    ]
    inside_TB1 = torch.ones(len(ids), 1, 1, dtype=torch.bool)
    logits_BC = network.head(network.encoder._pool(states, order, inside_TB1, batch.lengths_B))
    if network.ngrams is not None:
        logits_BC = logits_BC + network.ngrams(batch.ids_TB, batch.lengths_B)
    return logits_BC[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "shape",
    [
        *({"cell": cell} for cell in LAYERS),
        {"num_layers": 3},
        {"bidirectional": False, "num_layers": 2},
        {"conv_width": 3},
        {"pooling": "attention"},
        {"ngram_buckets": 16},
    ],
    ids=str,
)
def test_the_answer_follows_from_the_states_shown(shape: dict[str, Any]) -> None:
    network, ids = _network(**shape), np.array([3, 1, 4, 1, 5, 9, 2], dtype=np.int32)
    traced = trace(network, ids)
    architecture = network.architecture
    places = [(layer.layer, layer.backward) for layer in traced]
    directions = [False, True][: architecture.num_directions]
    assert places == [(layer, way) for layer in range(architecture.num_layers) for way in directions]
    assert {frozenset(layer.states_TH) for layer in traced} == {frozenset(NAMES[architecture.cell])}
    assert {state.shape for layer in traced for state in layer.states_TH.values()} == {(7, 4)}
    batch = pad([ids], num_steps=16)
    torch.testing.assert_close(_pooled(network, traced, ids), network(batch.ids_TB, batch.lengths_B)[0])


def test_the_gates_are_tied_by_the_equations_of_the_cell() -> None:
    for layer in trace(_network(), np.array([3, 1, 4, 1], dtype=np.int32)):
        s = layer.states_TH
        zero = torch.zeros(1, 4)
        before = torch.cat([s["cell"][1:], zero]) if layer.backward else torch.cat([zero, s["cell"][:-1]])
        torch.testing.assert_close(s["cell"], s["forget"] * before + s["input"] * s["candidate"])
        torch.testing.assert_close(s["hidden"], s["output"] * s["cell"].tanh())


def test_a_text_without_tokens_has_no_numbers_and_a_network_without_layers_no_gates() -> None:
    empty = trace(_network(conv_width=3), np.array([], dtype=np.int32))
    assert [state.shape for state in empty[0].states_TH.values()] == [(0, 4)] * 6
    assert trace(_network(num_layers=0), np.array([1, 2], dtype=np.int32)) == []


def test_the_cells_share_the_network_s_weights() -> None:
    network, ids = _network(), np.array([1, 2, 3], dtype=np.int32)
    before, state = trace(network, ids)[0].states_TH["forget"], torch.get_rng_state()
    network.encoder.recurrent().bias.add_(1.0)
    assert (trace(network, ids)[0].states_TH["forget"] > before).all()
    assert torch.equal(torch.get_rng_state(), state), "drew random numbers"


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("int8", 0.25)])
def test_the_shipped_checkpoint_s_gates_are_those_of_the_answers_served(dtype: str, tolerance: float) -> None:
    checkpoint = load_checkpoint(SHIPPED)
    if dtype == "int8" and (reason := unfit(checkpoint.config.architecture)):
        pytest.skip(f"no engine here: {reason}")
    network = checkpoint.build_network().requires_grad_(False)
    texts = ["A gripping film that never lets go.", "这家酒店不干净，不会再来。", "not good at all"]
    rows = [text.ids for text in TextEncoder(checkpoint.tokenizer, max_tokens=200).encode(texts)]
    ours = np.stack([_pooled(network, trace(network, row), row).numpy() for row in rows])
    served = Classifier(checkpoint, device="cpu", dtype=dtype).raw_logits([Encoded(row) for row in rows])
    assert np.abs(ours - served).max() < tolerance
