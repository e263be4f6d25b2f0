"""The encoder over numbers, against PyTorch's own packed layers and plain NumPy."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from model.config import Architecture, Cell, EncoderShape, Pooling
from model.encoder import Encoder
from model.network import RecurrentClassifier

Floats = npt.NDArray[np.float64]

E, H = 3, 4
LENGTHS = [7, 1, 4, 12]
TORCH_KINDS: dict[Cell, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
"""Those of the cells that PyTorch has too."""


def _encoder(**shape: Any) -> Encoder:
    torch.manual_seed(0)
    encoder = Encoder(EncoderShape.model_validate({"embedding_dim": E, "hidden_size": H} | shape)).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.6)
    return encoder.eval()


def _series(lengths: list[int] = LENGTHS) -> tuple[Tensor, Tensor]:
    """Rows of numbers, NaN in the padding, and their lengths."""
    torch.manual_seed(1)
    x_TBE = torch.randn(max([*lengths, 1]), len(lengths), E, dtype=torch.float64)
    for row, length in enumerate(lengths):
        x_TBE[length:, row] = torch.nan
    return x_TBE, torch.tensor(lengths)


def _numbers(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().numpy(), dtype=np.float64)


def _twin(encoder: Encoder) -> nn.RNNBase:
    """PyTorch's layers with the encoder's weights; of their two biases the second is zero."""
    shape = encoder.shape
    twin = TORCH_KINDS[shape.cell](E, H, num_layers=shape.num_layers, bidirectional=shape.bidirectional).double()
    with torch.no_grad():
        for layer in range(shape.num_layers):
            for direction in range(shape.num_directions):
                ours, suffix = encoder.recurrent(layer, direction), f"l{layer}" + "_reverse" * direction
                getattr(twin, f"weight_ih_{suffix}").copy_(ours.weight_ih)
                getattr(twin, f"weight_hh_{suffix}").copy_(ours.weight_hh)
                getattr(twin, f"bias_ih_{suffix}").copy_(ours.bias)
                getattr(twin, f"bias_hh_{suffix}").zero_()
    return twin


def _states_by_torch(encoder: Encoder, x_TBE: Tensor, lengths_B: Tensor) -> list[Floats]:
    """The top layer's states [length, S] of each row."""
    packed = nn.utils.rnn.pack_padded_sequence(x_TBE, lengths_B, enforce_sorted=False)
    states_TBS, _ = nn.utils.rnn.pad_packed_sequence(_twin(encoder)(packed)[0])
    return [_numbers(states_TBS[:length, row]) for row, length in enumerate(lengths_B.tolist())]


def _pooled_by_hand(encoder: Encoder, states_TS: Floats) -> Floats:
    if encoder.attention is not None:
        project, context = encoder.attention.project, encoder.attention.context
        scores_T = (
            np.tanh(states_TS @ _numbers(project.weight).T + _numbers(project.bias)) @ _numbers(context.weight)[0]
        )
        weights_T = np.exp(scores_T) / np.exp(scores_T).sum()
        return np.asarray(weights_T @ states_TS)
    # The backward direction ends at the first token.
    last = np.concatenate([states_TS[-1, :H], states_TS[0, H:]])
    parts = {"max": states_TS.max(axis=0), "mean": states_TS.mean(axis=0), "last": last}
    return np.concatenate([parts[name] for name in encoder.shape.pooling.split("_") if name in parts])


@pytest.mark.parametrize("cell", TORCH_KINDS)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_agrees_with_torch_on_packed_rows(cell: Cell, num_layers: int, bidirectional: bool, pooling: Pooling) -> None:
    encoder = _encoder(cell=cell, num_layers=num_layers, bidirectional=bidirectional, pooling=pooling)
    x_TBE, lengths_B = _series()
    pooled = _numbers(encoder(x_TBE, lengths_B))
    tolerance = 1e-6 if pooling == "attention" else 1e-12  # its softmax is computed in float32
    for ours, states_TS in zip(pooled, _states_by_torch(encoder, x_TBE.nan_to_num(0.0), lengths_B), strict=True):
        np.testing.assert_allclose(ours, _pooled_by_hand(encoder, states_TS), atol=tolerance)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_the_convolution_is_a_sum_over_windows(width: int) -> None:
    encoder = _encoder(num_layers=0, conv_width=width, pooling="max_mean_last")
    x_TBE, lengths_B = _series()
    pooled = _numbers(encoder(x_TBE, lengths_B))
    assert encoder.convolution is not None
    weight, bias = _numbers(encoder.convolution.weight), _numbers(encoder.convolution.bias)
    for row, length in enumerate(LENGTHS):
        padded = np.pad(_numbers(x_TBE[:length, row]), [(width // 2, width // 2), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)  # [length, E, width]
        y_TE = np.maximum(np.einsum("tiw,oiw->to", windows, weight) + bias, 0)
        wanted = np.concatenate([y_TE.max(axis=0), y_TE.mean(axis=0), y_TE[-1]])
        np.testing.assert_allclose(pooled[row], wanted, atol=1e-12)


@pytest.mark.parametrize("cell", get_args(Cell))
def test_numbers_in_the_padding_and_neighbours_have_no_effect(cell: Cell) -> None:
    encoder = _encoder(cell=cell, num_layers=2, conv_width=3, pooling="attention")
    x_TBE, lengths_B = _series()
    together = encoder(x_TBE, lengths_B)
    for row, length in enumerate(LENGTHS):
        alone = encoder(x_TBE[:length, row : row + 1], lengths_B[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_a_row_without_steps_is_zeros(pooling: Pooling) -> None:
    encoder = _encoder(pooling=pooling)
    pooled = encoder(*_series([0, 3]))
    assert pooled.shape == (2, encoder.shape.pooled_size)
    assert pooled[0].abs().max() == 0
    assert pooled[1].abs().max() > 0


@pytest.mark.parametrize("cell", get_args(Cell))
def test_a_classifier_is_an_encoder_of_its_embedded_tokens(cell: Cell) -> None:
    architecture = Architecture(
        vocab_size=9, embedding_dim=E, hidden_size=H, cell=cell, conv_width=3, pooling="attention"
    )
    network = RecurrentClassifier(architecture, 2).eval()
    encoder = Encoder(EncoderShape.model_validate(architecture.model_dump(include=set(EncoderShape.model_fields))))
    weights = network.weights()
    encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()})
    ids_TB, lengths_B = torch.randint(0, 9, (6, 2)), torch.tensor([6, 2])
    pooled = encoder.eval()(network.embedding[ids_TB], lengths_B)
    torch.testing.assert_close(network.head(pooled), network(ids_TB, lengths_B))
