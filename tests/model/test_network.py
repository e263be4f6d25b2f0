"""The network against the written-out LSTM, and the invariances that make batching safe."""

from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.batch import Batch, pad
from model.cell import LstmLayer
from model.config import Architecture, Pooling
from model.network import Dropouts, LstmClassifier

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
VARIANTS = [(layers, both, pooling) for layers in (1, 2, 3) for both in (False, True) for pooling in POOLINGS]
LENGTHS = [7, 0, 1, 4, 12]


def _network(
    layers: int = 1,
    both: bool = True,
    pooling: Pooling = "max_mean_last",
    seed: int = 0,
    drops: dict[str, float] | None = None,
) -> LstmClassifier:
    torch.manual_seed(seed)
    shape = Architecture(
        vocab_size=30, embedding_dim=6, hidden_size=5, num_layers=layers, bidirectional=both, pooling=pooling
    )
    network = LstmClassifier(shape, 3, Dropouts.model_validate(drops or {}))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return network.eval()


def _rows(lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 30, length).astype(np.int32) for length in lengths]


def _run(network: LstmClassifier, batch: Batch) -> Tensor:
    logits: Tensor = network(batch.ids_TB, batch.lengths_B)
    return logits


def _reference(network: LstmClassifier, row: np.ndarray) -> Tensor:
    """Logits [C] of one text, unpadded, through `LstmLayer` and pooling by its definition."""
    logits_C: Tensor = network.head(_reference_pooled(network, row))
    return logits_C


def _reference_pooled(network: LstmClassifier, row: np.ndarray) -> Tensor:
    architecture = network.architecture
    if len(row) == 0:
        return torch.zeros(architecture.pooled_size)
    reference = LstmLayer(
        architecture.embedding_dim,
        architecture.hidden_size,
        num_layers=architecture.num_layers,
        bidirectional=architecture.bidirectional,
    )
    for layer in range(architecture.num_layers):
        for direction in range(architecture.num_directions):
            cell, lstm = reference.cell(layer, direction), network.lstm(layer, direction)
            # The very same parameters, so that gradients of the slow calculation arrive where those of the fast one do.
            cell.weight_ih, cell.weight_hh, cell.bias = lstm.weight_ih, lstm.weight_hh, lstm.bias
    x_T1E = network.embedding[torch.as_tensor(row, dtype=torch.long)].unsqueeze(1)
    states, (h, _) = reference(x_T1E, torch.tensor([len(row)]))
    states_TS = states[:, 0]
    last_S = torch.cat(list(h[-architecture.num_directions :, 0]))
    if network.attention is not None:
        project, context = network.attention.project, network.attention.context
        hidden_TS = torch.tanh(states_TS @ project.weight.T + project.bias)
        weights_T: Tensor = torch.softmax(hidden_TS @ context.weight[0], 0)
        pooled_S: Tensor = weights_T @ states_TS
        return pooled_S
    parts = {"max": states_TS.amax(0), "mean": states_TS.mean(0), "last": last_S}
    wanted = parts if architecture.pooling == "max_mean_last" else [architecture.pooling]
    return torch.cat([parts[name] for name in wanted])


def _dense_gradients(network: LstmClassifier) -> dict[str, Tensor]:
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {name: gradient.to_dense() for name, gradient in gradients.items() if gradient is not None}


@pytest.mark.parametrize(("layers", "both", "pooling"), VARIANTS)
def test_agrees_with_the_written_out_lstm(layers: int, both: bool, pooling: Pooling) -> None:
    network, rows = _network(layers, both, pooling), _rows(LENGTHS)
    logits = _run(network, pad(rows, num_steps=16))
    for row, ours in zip(rows, logits, strict=True):
        torch.testing.assert_close(ours, _reference(network, row), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layers", "both", "pooling"), VARIANTS)
def test_gradient_agrees_with_the_written_out_lstm(layers: int, both: bool, pooling: Pooling) -> None:
    network, rows = _network(layers, both, pooling).train(), _rows([6, 2])
    targets = torch.tensor([2, 0])
    F.cross_entropy(_run(network, pad(rows)), targets, reduction="sum").backward()
    gradients = _dense_gradients(network)

    slow = _network(layers, both, pooling)
    logits = torch.stack([_reference(slow, row) for row in rows])
    F.cross_entropy(logits, targets, reduction="sum").backward()
    wanted = _dense_gradients(slow)
    assert gradients.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("layers", "both", "pooling"), VARIANTS)
def test_a_text_scores_the_same_alone_and_in_any_batch(layers: int, both: bool, pooling: Pooling) -> None:
    network, rows = _network(layers, both, pooling), _rows(LENGTHS)
    together = _run(network, pad(rows))
    backwards = _run(network, pad(rows[::-1])).flip(0)
    padded = _run(network, pad(rows, num_steps=50))
    for i, row in enumerate(rows):
        alone = _run(network, pad([row]))[0]
        for other in (together[i], backwards[i], padded[i]):
            torch.testing.assert_close(alone, other, atol=1e-5, rtol=0)


def test_what_stands_in_the_padding_has_no_effect() -> None:
    network = _network(2)
    batch = pad(_rows([3, 8]))
    other = batch.ids_TB.clone()
    other[3:, 0] = 29
    torch.testing.assert_close(_run(network, batch), network(other, batch.lengths_B), atol=0, rtol=0)


def test_the_order_of_words_matters() -> None:
    network, (row,) = _network(), _rows([9])
    assert not torch.allclose(_run(network, pad([row])), _run(network, pad([row[::-1].copy()])), atol=1e-3)


def test_empty_text_gives_the_bias_of_the_head() -> None:
    for pooling in ("max_mean_last", "max", "mean", "last"):
        network = _network(pooling=pooling)
        torch.testing.assert_close(_run(network, pad(_rows([0])))[0], network.head.bias)


def test_every_parameter_gets_a_gradient_and_the_embedding_a_sparse_one() -> None:
    for pooling in POOLINGS:
        network = _network(2, pooling=pooling).train()
        rows = _rows([5, 8])
        _run(network, pad(rows)).pow(2).sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.to_dense().abs().sum() > 0, name
        assert network.embedding.grad is not None
        assert network.embedding.grad.is_sparse
        touched = set(network.embedding.grad.coalesce().indices()[0].tolist())
        assert touched == {0, *np.concatenate(rows).tolist()}


@pytest.mark.parametrize("kind", list(Dropouts.model_fields))
def test_each_dropout_acts_in_training_and_only_there(kind: str) -> None:
    network = _network(2, drops={kind: 0.5})
    batch = pad(_rows([6, 9]))
    still = _run(network, batch)
    torch.testing.assert_close(_run(network, batch), still, atol=0, rtol=0)
    network.train()
    torch.manual_seed(1)
    first, second = _run(network, batch), _run(network, batch)
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, still)


def test_word_dropout_drops_a_word_wherever_it_stands() -> None:
    network = _network(drops={"word": 0.5}).train()
    torch.manual_seed(0)
    ids = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8] * 2] * 2).T
    x = network.embed(ids)
    gone = x.abs().sum(2) == 0
    assert gone.any()
    assert not gone.all()
    for token in range(1, 9):
        assert gone[ids == token].unique().numel() == 1


def test_locked_dropout_is_the_same_at_each_step() -> None:
    from model.network import locked_dropout

    torch.manual_seed(0)
    dropped = locked_dropout(torch.ones(7, 3, 10), 0.5, training=True)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_eight_examples_can_be_memorised() -> None:
    network = _network().train()
    torch.manual_seed(0)
    batch = pad(_rows([5] * 8, seed=3))
    targets = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    dense = [p for n, p in network.named_parameters() if n != "embedding"]
    optimizer = torch.optim.Adam(dense, lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(_run(network, batch), targets).backward()
        optimizer.step()
    assert _run(network.eval(), batch).argmax(1).tolist() == targets.tolist()
