"""The network against the written-out cells, and the invariances that make batching safe."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.cell import LstmLayer
from model.cells import CELLS
from model.config import Architecture, Cell, Pooling
from model.encoder import Dropouts
from model.network import RecurrentClassifier
from model.padding import Batch, pad

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
CELL_NAMES: tuple[Cell, ...] = get_args(Cell)
VARIANTS: list[dict[str, Any]] = [
    *(
        {"num_layers": layers, "bidirectional": both, "pooling": pooling}
        for layers in (1, 2, 3)
        for both in (False, True)
        for pooling in POOLINGS
    ),
    *({"cell": cell, "num_layers": layers} for cell in CELL_NAMES if cell != "lstm" for layers in (1, 2)),
    *({"cell": cell, "bidirectional": False, "pooling": "attention"} for cell in CELL_NAMES),
    *({"conv_width": width, "num_layers": layers} for width in (1, 3, 7) for layers in (0, 1)),
    *({"num_layers": 0, "pooling": pooling} for pooling in POOLINGS),
    {"cell": "gru", "conv_width": 3, "num_layers": 2, "pooling": "attention"},
    *({"ngram_buckets": 50, "ngram_order": order, "num_layers": layers} for order in (1, 2, 3) for layers in (0, 1)),
]
LENGTHS = [7, 0, 1, 4, 12]


def _name(shape: dict[str, Any]) -> str:
    return "-".join(f"{key}={value}" for key, value in shape.items())


every_variant = pytest.mark.parametrize("shape", VARIANTS, ids=_name)


def _network(seed: int = 0, drops: dict[str, float] | None = None, **shape: Any) -> RecurrentClassifier:
    torch.manual_seed(seed)
    architecture = Architecture.model_validate({"vocab_size": 30, "embedding_dim": 6, "hidden_size": 5} | shape)
    network = RecurrentClassifier(architecture, 3, Dropouts.model_validate(drops or {}))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return network.eval()


def _rows(lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 30, length).astype(np.int32) for length in lengths]


def _run(network: RecurrentClassifier, batch: Batch) -> Tensor:
    logits: Tensor = network(batch.ids_TB, batch.lengths_B)
    return logits


def _reference(network: RecurrentClassifier, row: np.ndarray) -> Tensor:
    """Logits [C] of one text, unpadded, through the written-out cells and pooling by its definition."""
    logits_C: Tensor = network.head(_reference_pooled(network, row))
    if network.ngrams is not None:
        # Held to its own definition in test_ngrams.py; here it stands beside the rest, one text at a time.
        batch = pad([row])
        logits_C = logits_C + network.ngrams(batch.ids_TB, batch.lengths_B)[0]
    return logits_C


def _reference_pooled(network: RecurrentClassifier, row: np.ndarray) -> Tensor:
    architecture = network.architecture
    if len(row) == 0:
        return torch.zeros(architecture.pooled_size)
    x_TE = _reference_convolution(network, network.embedding[torch.as_tensor(row, dtype=torch.long)])
    states_TS, last_S = (x_TE, x_TE[-1]) if architecture.num_layers == 0 else _reference_states(network, x_TE)
    if network.encoder.attention is not None:
        project, context = network.encoder.attention.project, network.encoder.attention.context
        hidden_TS = torch.tanh(states_TS @ project.weight.T + project.bias)
        weights_T: Tensor = torch.softmax(hidden_TS @ context.weight[0], 0)
        pooled_S: Tensor = weights_T @ states_TS
        return pooled_S
    parts = {"max": states_TS.amax(0), "mean": states_TS.mean(0), "last": last_S}
    wanted = parts if architecture.pooling == "max_mean_last" else [architecture.pooling]
    return torch.cat([parts[name] for name in wanted])


def _reference_states(network: RecurrentClassifier, x_TE: Tensor) -> tuple[Tensor, Tensor]:
    """States over time and last states of the top layer."""
    architecture = network.architecture
    reference = LstmLayer(
        architecture.embedding_dim,
        architecture.hidden_size,
        num_layers=architecture.num_layers,
        bidirectional=architecture.bidirectional,
        kind=CELLS[architecture.cell],
    )
    for layer in range(architecture.num_layers):
        for direction in range(architecture.num_directions):
            cell = reference.cells[layer * architecture.num_directions + direction]
            # The very same parameters, so that gradients of the slow calculation arrive where those of the fast one do.
            for name, parameter in network.encoder.recurrent(layer, direction).named_parameters():
                assert getattr(cell, name).shape == parameter.shape
                setattr(cell, name, parameter)
    states, (h, _) = reference(x_TE.unsqueeze(1), torch.tensor([len(x_TE)]))
    return states[:, 0], torch.cat(list(h[-architecture.num_directions :, 0]))


def _reference_convolution(network: RecurrentClassifier, x_TE: Tensor) -> Tensor:
    """One product for each place in the window, zeros beyond the text."""
    if network.encoder.convolution is None:
        return x_TE
    weight, bias = network.encoder.convolution.weight, network.encoder.convolution.bias
    reach = weight.shape[2] // 2
    steps = []
    for t in range(len(x_TE)):
        near = [(t + k, k + reach) for k in range(-reach, reach + 1) if 0 <= t + k < len(x_TE)]
        steps.append(bias + torch.stack([weight[:, :, place] @ x_TE[s] for s, place in near]).sum(0))
    return torch.stack(steps).clamp(min=0)


def _dense_gradients(network: RecurrentClassifier) -> dict[str, Tensor]:
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {name: gradient.to_dense() for name, gradient in gradients.items() if gradient is not None}


@every_variant
def test_agrees_with_the_written_out_cells(shape: dict[str, Any]) -> None:
    network, rows = _network(**shape), _rows(LENGTHS)
    logits = _run(network, pad(rows, num_steps=16))
    for row, ours in zip(rows, logits, strict=True):
        torch.testing.assert_close(ours, _reference(network, row), atol=1e-5, rtol=1e-5)


@every_variant
def test_gradient_agrees_with_the_written_out_cells(shape: dict[str, Any]) -> None:
    network, rows = _network(**shape).train(), _rows([6, 2])
    targets = torch.tensor([2, 0])
    F.cross_entropy(_run(network, pad(rows)), targets, reduction="sum").backward()
    gradients = _dense_gradients(network)

    slow = _network(**shape)
    logits = torch.stack([_reference(slow, row) for row in rows])
    F.cross_entropy(logits, targets, reduction="sum").backward()
    wanted = _dense_gradients(slow)
    assert gradients.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, atol=1e-5, rtol=1e-4)


@every_variant
def test_a_text_scores_the_same_alone_and_in_any_batch(shape: dict[str, Any]) -> None:
    network, rows = _network(**shape), _rows(LENGTHS)
    together = _run(network, pad(rows))
    backwards = _run(network, pad(rows[::-1])).flip(0)
    padded = _run(network, pad(rows, num_steps=50))
    for i, row in enumerate(rows):
        alone = _run(network, pad([row]))[0]
        for other in (together[i], backwards[i], padded[i]):
            torch.testing.assert_close(alone, other, atol=1e-5, rtol=0)


@every_variant
def test_what_stands_in_the_padding_has_no_effect(shape: dict[str, Any]) -> None:
    network = _network(**shape)
    batch = pad(_rows([3, 8]))
    other = batch.ids_TB.clone()
    other[3:, 0] = 29
    torch.testing.assert_close(_run(network, batch), network(other, batch.lengths_B), atol=0, rtol=0)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_order_of_words_matters(cell: Cell) -> None:
    network, (row,) = _network(cell=cell), _rows([9])
    assert not torch.allclose(_run(network, pad([row])), _run(network, pad([row[::-1].copy()])), atol=1e-3)


def test_without_layers_the_mean_knows_no_order_but_a_convolution_does() -> None:
    (row,) = _rows([9])
    for width, same in ((0, True), (3, False)):
        network = _network(num_layers=0, pooling="mean", conv_width=width)
        forwards, backwards = _run(network, pad([row])), _run(network, pad([row[::-1].copy()]))
        assert torch.allclose(forwards, backwards, atol=1e-6) == same


@every_variant
def test_empty_text_gives_the_bias_of_the_head(shape: dict[str, Any]) -> None:
    network = _network(**shape)
    torch.testing.assert_close(_run(network, pad(_rows([0])))[0], network.head.bias)


@every_variant
def test_every_parameter_gets_a_gradient_and_the_embedding_a_sparse_one(shape: dict[str, Any]) -> None:
    network = _network(**shape).train()
    rows = _rows([5, 8])
    _run(network, pad(rows)).pow(2).sum().backward()
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:  # the n-grams', fitted apart
            assert name == "ngrams.table"
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.to_dense().abs().sum() > 0, name
    assert network.embedding.grad is not None
    assert network.embedding.grad.is_sparse
    touched = set(network.embedding.grad.coalesce().indices()[0].tolist())
    assert touched == {0, *np.concatenate(rows).tolist()}


def test_weights_have_the_names_that_checkpoints_know() -> None:
    assert list(_network(num_layers=2).weights()) == [
        "embedding",
        *(f"layers.{i}.{j}.{kind}" for i in (0, 1) for j in (0, 1) for kind in ("weight_ih", "weight_hh", "bias")),
        *("head.weight", "head.bias"),
    ]


def test_weights_come_back_under_those_names() -> None:
    shape: dict[str, Any] = {"conv_width": 3, "pooling": "attention", "ngram_buckets": 50}
    network, other = _network(seed=0, **shape), _network(seed=1, **shape)
    other.load_weights(network.weights())
    batch = pad(_rows(LENGTHS))
    assert torch.equal(_run(other, batch), _run(network, batch))
    lacking = {name: weight for name, weight in network.weights().items() if name != "convolution.bias"}
    with pytest.raises(KeyError, match=r"convolution\.bias"):
        other.load_weights(lacking)


def test_layers_are_given_out_by_their_kind() -> None:
    assert _network().encoder.lstm(0, 1).weight_hh.shape == (20, 5)
    with pytest.raises(TypeError, match="not an LSTM layer: FusedGru"):
        _network(cell="gru").encoder.lstm()
    broken = _network()
    broken.encoder.layers[0] = torch.nn.Identity()
    with pytest.raises(TypeError, match="not a recurrent layer"):
        broken.encoder.recurrent()


@pytest.mark.parametrize("cell", CELL_NAMES)
@pytest.mark.parametrize("kind", list(Dropouts.model_fields))
def test_each_dropout_acts_in_training_and_only_there(kind: str, cell: Cell) -> None:
    network = _network(num_layers=2, drops={kind: 0.5}, cell=cell)
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
    from model.encoder import locked_dropout

    torch.manual_seed(0)
    dropped = locked_dropout(torch.ones(7, 3, 10), 0.5, training=True)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_eight_examples_can_be_memorised(cell: Cell) -> None:
    network = _network(cell=cell).train()
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
