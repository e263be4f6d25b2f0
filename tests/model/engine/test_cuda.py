"""The kernels give what the network gives: by Triton's interpreter on a CPU, and on a GPU where there is one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.batch import Ids
from model.classifier import Classifier
from model.config import Architecture
from model.engine.cuda import TILES, CudaEngine, Tile, by_length, padded_hidden, unfit
from model.network import RecurrentClassifier
from model.padding import pad

triton = pytest.importorskip("triton", reason="Triton is not installed")

SHIPPED = Path(__file__).parents[3] / "checkpoints" / "sentiment"
COMMON = Architecture(vocab_size=50, embedding_dim=8, hidden_size=16)
LENGTHS = (5, 0, 1, 17, 3, *range(2, 16), 7, 0)

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")

if not GPU and tuple(map(int, triton.__version__.split(".")[:2])) < (3, 7):
    pytest.skip("the interpreter of Triton 3.6 cannot work with this NumPy", allow_module_level=True)


def _network(**shape: Any) -> RecurrentClassifier:
    torch.manual_seed(0)
    network = RecurrentClassifier(COMMON.model_copy(update=shape), 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
        for direction in range(network.architecture.num_directions):
            # Of spectral radius 1: with a larger one any two implementations drift apart, as any chaos does.
            network.encoder.lstm(0, direction).weight_hh.div_(0.3 * network.architecture.hidden_size**0.5)
    return network.eval()


def _rows(*lengths: int) -> list[Ids]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 50, length).astype(np.int32) for length in lengths]


def _reference(network: RecurrentClassifier, rows: list[Ids]) -> np.ndarray:
    batch = pad(rows)
    logits: np.ndarray = network(batch.ids_TB, batch.lengths_B).detach().numpy()
    return logits


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"bidirectional": False},
        {"pooling": "max"},
        {"pooling": "mean"},
        {"pooling": "last"},
        {"hidden_size": 20},
        {"ngram_buckets": 64, "ngram_order": 3},
        {"ngram_buckets": 1000, "ngram_order": 1},
    ],
    ids=str,
)
def test_float32_gives_what_the_network_gives(shape: dict[str, Any]) -> None:
    network, rows = _network(**shape), _rows(*LENGTHS)
    ours = CudaEngine(network, DEVICE, torch.float32).logits(rows)
    np.testing.assert_allclose(ours, _reference(network, rows), atol=1e-5)


def test_float16_is_right_to_half_precision() -> None:
    network, rows = _network(), _rows(*LENGTHS)
    ours = CudaEngine(network, DEVICE, torch.float16).logits(rows)
    np.testing.assert_allclose(ours, _reference(network, rows), atol=3e-3)


def test_a_text_gives_the_same_alone_and_in_any_batch() -> None:
    network, rows = _network(ngram_buckets=64), _rows(*LENGTHS[::2])
    engine = CudaEngine(network, DEVICE, torch.float32)
    alone = np.concatenate([engine.logits([row]) for row in rows])
    np.testing.assert_allclose(engine.logits(rows), alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(engine.logits(rows[::-1]), alone[::-1], rtol=0, atol=1e-6)


def test_n_grams_longer_than_a_block_of_places_count_once() -> None:
    """Few buckets and many tokens: most n-grams have met their bucket, in the same block or in one before."""
    network, rows = _network(ngram_buckets=200, ngram_order=2), _rows(75, 33, 32, 31)
    with torch.no_grad():
        network.head.weight.zero_()
    ours = CudaEngine(network, DEVICE, torch.float32).logits(rows)
    np.testing.assert_allclose(ours, _reference(network, rows), atol=1e-5)


def test_many_labels() -> None:
    torch.manual_seed(0)
    network = RecurrentClassifier(COMMON.model_copy(update={"ngram_buckets": 64}), 40).eval()
    assert network.ngrams is not None
    network.ngrams.table.normal_()
    rows = _rows(4, 0, 9)
    ours = CudaEngine(network, DEVICE, torch.float32).logits(rows)
    np.testing.assert_allclose(ours, _reference(network, rows), atol=1e-5)


def test_no_texts_and_texts_without_tokens() -> None:
    network = _network()
    engine = CudaEngine(network, DEVICE, torch.float32)
    assert engine.logits([]).shape == (0, 3)
    np.testing.assert_allclose(engine.logits(_rows(0))[0], network.head.bias.detach().numpy(), atol=1e-7)


def test_tiles_grow_with_the_number_of_texts() -> None:
    engine = CudaEngine(_network(), DEVICE, torch.float32)
    assert engine.tile(1) == TILES[0]
    assert engine.tile(10**6) == TILES[-1]
    assert [tile.rows for tile in TILES] == sorted(tile.rows for tile in TILES)


@pytest.mark.parametrize(
    ("shape", "dtype", "reason"),
    [
        ({"cell": "gru"}, torch.float32, "one layer of LSTM"),
        ({"num_layers": 2}, torch.float32, "one layer of LSTM"),
        ({"pooling": "attention"}, torch.float32, "without attention"),
        ({"hidden_size": 128}, torch.float32, "128 units in torch.float32 do not fit"),
        ({"hidden_size": 200}, torch.bfloat16, "200 units in torch.bfloat16 do not fit"),
    ],
    ids=str,
)
def test_says_what_it_cannot_do(shape: dict[str, Any], dtype: torch.dtype, reason: str) -> None:
    assert reason in str(unfit(COMMON.model_copy(update=shape), dtype))
    with pytest.raises(ValueError, match=reason):
        CudaEngine(RecurrentClassifier(COMMON.model_copy(update=shape), 3), DEVICE, dtype)


def test_fits_what_ships() -> None:
    assert unfit(COMMON.model_copy(update={"hidden_size": 128}), torch.bfloat16) is None
    assert unfit(COMMON.model_copy(update={"hidden_size": 64}), torch.float32) is None
    assert [padded_hidden(size) for size in (6, 16, 20, 128)] == [16, 16, 32, 128]


def test_longest_come_first_also_where_16_bits_do_not_suffice() -> None:
    lengths = np.array([3, 70_000, 3, 5], dtype=np.int32)
    assert by_length(lengths).tolist() == [1, 3, 0, 2]
    assert by_length(np.array([], dtype=np.int32)).tolist() == []


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no CUDA device")
@pytest.mark.parametrize("tile", TILES, ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_every_tile_is_right_at_the_size_that_ships(tile: Tile, dtype: torch.dtype) -> None:
    network, rows = _network(hidden_size=128, ngram_buckets=64, ngram_order=3), _rows(*LENGTHS, *range(2, 150))
    engine = CudaEngine(network, DEVICE, dtype)
    with torch.inference_mode():
        ours = engine.compute(engine.stage(rows), len(rows), tile).cpu().numpy()
    reference = _reference(network, rows)
    limit = 1e-2 if dtype == torch.bfloat16 else 2e-3
    assert np.linalg.norm(ours - reference) < limit * np.linalg.norm(reference)


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no CUDA device")
def test_the_shipped_checkpoint_moves_no_probability_by_a_hundredth() -> None:
    fast, exact = Classifier.load(SHIPPED, device="cuda", dtype="auto"), Classifier.load(SHIPPED, device="cpu")
    assert (fast.dtype, fast.pads) == ("bfloat16", False)
    texts = [
        "a good and charming film",
        "",
        "难看的电影",
        "😀" * 300,
        *(f"not {n} bad films " * n for n in range(1, 90)),
    ]
    np.testing.assert_allclose(fast.predict(texts), exact.predict(texts), rtol=0, atol=1e-2)
    assert (fast.predict(texts).argmax(1) == exact.predict(texts).argmax(1)).mean() > 0.98


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no CUDA device")
def test_what_has_no_kernel_is_answered_by_cudnn() -> None:
    assert Classifier.load(SHIPPED, device="cuda", dtype="float32").pads
