"""ONNX Runtime against the PyTorch network: every architecture, rows of different lengths side by side."""

from typing import Any, get_args

import numpy as np
import onnxruntime
import pytest
import torch

from model.checkpoint import Checkpoint
from model.classifier import Classifier
from model.config import Architecture, Cell, CheckpointConfig, Pooling
from model.export.network import onnx_model
from model.network import RecurrentClassifier, to_arrays
from model.padding import pad
from model.text import Encoded
from model.tokenizer import build_tokenizer, train_vocabulary
from tests.conftest import TEXTS

CELLS: tuple[Cell, ...] = get_args(Cell)
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
SHAPES: list[dict[str, Any]] = [
    *({"num_layers": layers, "pooling": pooling} for layers in (0, 1) for pooling in POOLINGS),
    *({"cell": cell, "bidirectional": both} for cell in CELLS for both in (False, True)),
    *({"cell": cell, "num_layers": layers} for cell in CELLS for layers in (2, 3)),
    *({"conv_width": width, "num_layers": layers} for width in (1, 3, 7) for layers in (0, 1)),
    *({"ngram_buckets": 50, "ngram_order": order, "num_layers": layers} for order in (1, 2, 5) for layers in (0, 1)),
    {"cell": "gru", "conv_width": 3, "num_layers": 2, "pooling": "attention", "ngram_buckets": 2**20},
    {"bidirectional": False, "pooling": "max", "num_layers": 2},
]
LENGTHS = (7, 0, 1, 4, 12, 2)
TOKENIZER = train_vocabulary(build_tokenizer(), TEXTS, vocab_size=600, min_frequency=1)


def made(shape: dict[str, Any], num_labels: int = 3, dtype: str = "float32", **config: Any) -> Checkpoint:
    """A checkpoint with random weights, large enough that probabilities are far apart."""
    torch.manual_seed(0)
    size = TOKENIZER.get_vocab_size()
    architecture = Architecture.model_validate({"vocab_size": size, "embedding_dim": 6, "hidden_size": 5} | shape)
    network = RecurrentClassifier(architecture, num_labels)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)
    labels = tuple("abcdef"[:num_labels])
    weights = {name: weight.astype(dtype) for name, weight in to_arrays(network.weights()).items()}
    settings = {"labels": labels, "max_tokens": 32, "architecture": architecture} | config
    return Checkpoint(CheckpointConfig.model_validate(settings), weights, TOKENIZER, {}, "")


def rows_of(lengths: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, TOKENIZER.get_vocab_size(), length).astype(np.int32) for length in lengths]


def by_onnx(checkpoint: Checkpoint, rows: list[np.ndarray], more_steps: int = 0) -> list[np.ndarray]:
    """Probabilities and logits of padded rows."""
    longest = max(map(len, rows)) + more_steps
    batch = pad(rows, num_steps=max(1, longest))
    session = onnxruntime.InferenceSession(onnx_model(checkpoint).SerializeToString())
    ids_BT, lengths_B = batch.ids_TB.T.contiguous().numpy(), batch.lengths_B.numpy()
    ids_BT[np.arange(ids_BT.shape[1]) >= lengths_B[:, None]] = 5  # any id is as good for padding
    feeds = {"ids": ids_BT, "lengths": lengths_B}
    found: list[np.ndarray] = session.run(["probabilities", "logits"], feeds)
    return found


def assert_equal(checkpoint: Checkpoint, rows: list[np.ndarray], more_steps: int = 0) -> None:
    classifier = Classifier(checkpoint, device="cpu", dtype="float32")
    logits_BC = classifier.logits([Encoded(row) for row in rows])
    probabilities, logits = by_onnx(checkpoint, rows, more_steps)
    np.testing.assert_allclose(probabilities, classifier.probabilities(logits_BC), rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits, logits_BC, rtol=1e-5, atol=1e-4)
    assert np.ptp(probabilities, axis=0).max() > 1e-3  # the rows are not alike, or nothing would be shown


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(f"{key}={shape[key]}" for key in shape))
def test_probabilities_are_those_of_the_network(shape: dict[str, Any]) -> None:
    assert_equal(made(shape), rows_of(LENGTHS))


@pytest.mark.parametrize("cell", CELLS)
def test_padding_behind_the_longest_row_has_no_effect(cell: Cell) -> None:
    assert_equal(made({"cell": cell, "conv_width": 3, "ngram_buckets": 50, "ngram_order": 3}), rows_of((3, 1)), 9)


@pytest.mark.parametrize("length", [0, 1, 32])
def test_one_row_alone(length: int) -> None:
    checkpoint = made({"ngram_buckets": 2**16, "ngram_order": 3})
    (alone,), _ = by_onnx(checkpoint, rows_of((length,)))
    (expected,) = Classifier(checkpoint, device="cpu", dtype="float32").score([Encoded(rows_of((length,))[0])])
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-5)


def test_tokens_that_repeat_count_once_as_ngrams() -> None:
    checkpoint = made({"ngram_buckets": 1000, "ngram_order": 3})
    assert_equal(checkpoint, [np.array(ids, dtype=np.int32) for ids in ([5] * 20, [5, 6, 5, 6, 5], [0, 0], [7])])


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_each_task_with_temperatures_of_two_languages(task: str) -> None:
    checkpoint = made({}, task=task, temperature=1.7, chinese_temperature=0.4)
    classifier = Classifier(checkpoint, device="cpu", dtype="float32")
    rows = [text.ids for text in classifier.encode([*TEXTS, "", "很好 good 电影"])]
    assert_equal(checkpoint, rows)


def test_weights_of_16_bits_stay_as_small_in_the_file() -> None:
    shape = {"embedding_dim": 32, "ngram_buckets": 2**14, "conv_width": 3}
    small, large = made(shape, dtype="float16"), made(shape)
    assert_equal(small, rows_of(LENGTHS))
    assert onnx_model(small).ByteSize() < 0.6 * onnx_model(large).ByteSize()
