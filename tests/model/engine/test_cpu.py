"""The engine gives what the network gives, nearly; and where there is none, the network answers."""

import resource
import weakref
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from model.batch import Ids
from model.classifier import Classifier
from model.config import Architecture
from model.engine import cpu as engine
from model.engine.cpu import (
    EMULATED,
    PORTABLE,
    VARIANT_VARIABLE,
    Engine,
    library,
    pick_variant,
    share,
    unfit,
    variants,
)
from model.engine.description import FIXED, FLOAT_OF_FIXED, OF_OTHER_FORM, form_of
from model.engine.layout import ProductForm, pack_recurrent
from model.errors import ConfigError
from model.network import RecurrentClassifier, to_arrays
from model.padding import pad
from tests.conftest import make_checkpoint
from training.data.contrast.draw import GRAMMARS, draw_sentences

SHIPPED = Path(__file__).parents[3] / "checkpoints" / "sentiment"
COMMON = Architecture(vocab_size=50, embedding_dim=8, hidden_size=32)

runs_here = pytest.mark.skipif((reason := unfit(COMMON)) is not None, reason=f"no engine here: {reason}")


def _network(seed: int = 0, spread: float = 0.3, **shape: Any) -> RecurrentClassifier:
    torch.manual_seed(seed)
    network = RecurrentClassifier(COMMON.model_copy(update=shape), 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * spread)
        for layer, direction in product(
            range(network.architecture.num_layers), range(network.architecture.num_directions)
        ):
            # Of spectral radius 1: with a larger one any two implementations drift apart, as any chaos does.
            network.encoder.recurrent(layer, direction).weight_hh.div_(spread * network.architecture.hidden_size**0.5)
    return network.eval()


def _engine(network: RecurrentClassifier, threads: int = 1, variant: str | None = None) -> Engine:
    return Engine(network.architecture, to_arrays(network.weights()), threads=threads, variant=variant)


def _rows(*lengths: int) -> list[Ids]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 50, length).astype(np.int32) for length in lengths]


def _reference(network: RecurrentClassifier, rows: list[Ids]) -> np.ndarray:
    batch = pad(rows)
    logits: np.ndarray = network(batch.ids_TB, batch.lengths_B).detach().numpy()
    return logits


def _probabilities(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    quotient: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return quotient


LENGTHS = (5, 0, 1, 40, 3, *range(2, 60), 7, 7)


@runs_here
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"bidirectional": False},
        {"pooling": "max"},
        {"pooling": "mean"},
        {"pooling": "last"},
        {"hidden_size": 16},
        {"hidden_size": 112},
        {"ngram_buckets": 64, "ngram_order": 3},
        {"hidden_size": 20},
        {"num_layers": 2},
        {"num_layers": 3, "hidden_size": 24, "pooling": "last"},
        {"num_layers": 2, "bidirectional": False, "pooling": "mean"},
        {"cell": "gru"},
        {"cell": "gru", "num_layers": 2, "hidden_size": 20},
        {"pooling": "attention"},
        {"pooling": "attention", "num_layers": 2, "hidden_size": 24},
        {"pooling": "attention", "cell": "gru", "bidirectional": False},
    ],
    ids=str,
)
def test_it_gives_what_the_network_gives(shape: dict[str, Any]) -> None:
    network, rows = _network(**shape), _rows(*LENGTHS)
    ours, reference = _probabilities(_engine(network).logits(rows)), _probabilities(_reference(network, rows))
    assert np.abs(ours - reference).max() < 0.02
    assert np.abs(ours - reference).mean() < 0.004


def _sums(network: RecurrentClassifier, states_H: npt.NDArray[np.int8], variant: str) -> npt.NDArray[np.int64]:
    """Recurrent sums [B, 4, 16] of the integers that a kernel's weights are rounded to."""
    weight_GH = to_arrays(network.weights())["layers.0.0.weight_hh"]
    packed, _, _ = pack_recurrent(weight_GH, form=ProductForm(pair_limit=form_of(variant).pair_limit))
    sums: npt.NDArray[np.int64] = np.einsum(
        "bkgus,ks->bgu", packed.astype(np.int64), states_H.reshape(-1, 4).astype(np.int64)
    )
    return sums


@pytest.mark.parametrize("variant", variants())
@pytest.mark.parametrize(("hidden", "equal"), [(16, False), (48, False), (128, False), (32, True)])
def test_each_kernel_adds_the_same_integers(variant: str, hidden: int, equal: bool) -> None:
    """With equal weights all integers are as large as they can be."""
    network = _network(hidden_size=hidden)
    if equal:
        with torch.no_grad():
            network.encoder.lstm(0, 0).weight_hh.fill_(1.0)
    engine, rng = _engine(network, variant=variant), np.random.default_rng(0)
    for states in (
        rng.integers(-127, 128, hidden).astype(np.int8),
        np.full(hidden, 127, dtype=np.int8),
        np.full(hidden, -127, dtype=np.int8),
    ):
        np.testing.assert_array_equal(engine.sums(states), _sums(network, states, variant))


@pytest.mark.parametrize("variant", variants())
@pytest.mark.parametrize(
    ("shape", "other"),
    [
        ({"ngram_buckets": 64, "hidden_size": 48}, 10),
        ({"num_layers": 2, "pooling": "attention", "hidden_size": 48}, 10),
        ({"cell": "gru", "num_layers": 2}, 20),
    ],
    ids=str,
)
def test_each_kernel_gives_what_the_portable_one_gives(variant: str, shape: dict[str, Any], other: int) -> None:
    """Apart from the last bits of the gates, which now and then round a state the other way, or from other integers."""
    network, rows = _network(**shape), _rows(*LENGTHS[::3])
    logits, portable = (_engine(network, variant=name).logits(rows) for name in (variant, PORTABLE))
    bound = other if variant in OF_OTHER_FORM else 1
    assert np.abs(logits - portable).max() < 0.02 * bound
    assert np.abs(logits - portable).mean() < 0.001 * bound
    moved = np.abs(_probabilities(logits) - _probabilities(_reference(network, rows)))
    assert moved.max() < 0.02
    assert moved.mean() < 0.004


@runs_here
def test_the_processor_has_the_kernels_that_its_flags_promise() -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split()) if Path("/proc/cpuinfo").exists() else set()
    promised = {
        "amx_int8": "amx",
        "avx512_vnni": "avx512-fixed",
        "avx512f": "avx512",
        "avx_vnni": "avx-vnni",
        "avx2": "avx2",
        "i8mm": "neon-i8mm",
        "asimddp": "neon",
    }
    assert [name for name in variants() if name not in (PORTABLE, EMULATED)] == [
        promised[flag] for flag in promised if flag in flags
    ]


@runs_here
@pytest.mark.skipif(EMULATED not in variants(), reason="needs AVX-512 with VNNI")
@pytest.mark.parametrize(
    "shape", [{}, {"num_layers": 2, "hidden_size": 20}, {"cell": "gru", "hidden_size": 80}], ids=str
)
def test_tiles_give_the_same_bits_as_vectors(shape: dict[str, Any]) -> None:
    """Products are of integers; the gates are the same code. Blocks are full, or a row short, or of one row."""
    network, rows = _network(**shape), _rows(*range(1, 40), 60)
    logits, expected = (_engine(network, variant=name).logits(rows) for name in (EMULATED, "avx512-fixed"))
    np.testing.assert_array_equal(logits, expected)


@runs_here
def test_a_kernel_is_named_by_argument_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest = pick_variant()
    monkeypatch.setenv(VARIANT_VARIABLE, PORTABLE)
    assert (pick_variant(), pick_variant(fastest)) == (PORTABLE, fastest)
    with pytest.raises(ValueError, match="no kernel sse here"):
        pick_variant("sse")
    monkeypatch.setenv(VARIANT_VARIABLE, "sse")
    with pytest.raises(ConfigError, match=r"^ENGINE_VARIANT=sse: there is no such kernel here; choose among .*scalar"):
        Classifier.load(SHIPPED, device="cpu", dtype="auto")


@runs_here
@pytest.mark.parametrize("fixed", [name for name in variants() if name in FIXED])
@pytest.mark.parametrize(
    "shape", [{}, {"num_layers": 2}, {"cell": "gru", "num_layers": 2}, {"pooling": "attention"}], ids=str
)
@pytest.mark.parametrize("name", ["weight_hh", "weight_ih", "bias"])
def test_weights_too_large_for_16_bits_go_to_the_kernel_of_floating_point_numbers(
    fixed: str, shape: dict[str, Any], name: str
) -> None:
    network = _network(**shape)
    assert _engine(network, variant=fixed).variant == fixed
    last, large = network.architecture.num_layers - 1, 8.0
    recurrent = network.encoder.recurrent(last, 1)
    with torch.no_grad():
        if name == "bias":  # of a unit that nothing else moves
            recurrent.weight_hh[0], recurrent.weight_ih[0], large = 0.0, 0.0, 1.0
        getattr(recurrent, name)[0] = large
    read = name == "weight_hh" or last > 0  # what the first layer's table holds is not in a product
    assert _engine(network, variant=fixed).variant == (FLOAT_OF_FIXED if read else fixed)


@runs_here
@pytest.mark.parametrize("fixed", [name for name in variants() if name in FIXED])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_of_16_bits_are_as_near_as_those_of_floating_point_numbers(fixed: str, cell: str) -> None:
    network, rows = _network(cell=cell, num_layers=2, hidden_size=48), _rows(*LENGTHS)
    reference = _probabilities(_reference(network, rows))
    ours, floating = (
        float(np.abs(_probabilities(_engine(network, variant=name).logits(rows)) - reference).mean())
        for name in (fixed, FLOAT_OF_FIXED)
    )
    assert ours < 1.5 * floating


@runs_here
def test_where_there_is_only_the_portable_kernel_pytorch_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "variants", lambda: {PORTABLE: 4})
    reason = unfit(COMMON)
    assert reason is not None
    assert "PyTorch is faster" in reason


@runs_here
def test_it_is_right_to_the_rounding_of_the_table_where_nothing_else_is_rounded() -> None:
    """Recurrent weights of zero leave the looked-up gates, the cells and the pooling."""
    network, rows = _network(), _rows(*LENGTHS)
    with torch.no_grad():
        for direction in (0, 1):
            network.encoder.lstm(0, direction).weight_hh.zero_()
    np.testing.assert_allclose(_engine(network).logits(rows), _reference(network, rows), atol=1e-2)


@runs_here
def test_weights_far_too_large_stay_finite() -> None:
    network, rows = _network(spread=30.0), _rows(*LENGTHS)
    with torch.no_grad():
        network.head.weight.div_(1000)
        network.head.bias.zero_()
    ours = _engine(network).logits(rows)
    assert np.isfinite(ours).all()
    assert np.abs(ours - _reference(network, rows)).mean() < 0.05


@runs_here
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [{"ngram_buckets": 64}, {"num_layers": 2, "pooling": "attention"}], ids=str)
def test_a_text_gives_the_same_alone_and_in_any_batch(threads: int, shape: dict[str, Any]) -> None:
    network, rows = _network(**shape), _rows(*LENGTHS)
    together = _engine(network, threads=threads).logits(rows)
    alone = _engine(network)
    np.testing.assert_allclose(together, np.concatenate([alone.logits([row]) for row in rows]), rtol=0, atol=1e-6)


@runs_here
def test_no_texts_and_texts_without_tokens() -> None:
    network = _network()
    assert _engine(network).logits([]).shape == (0, 3)
    np.testing.assert_allclose(_engine(network).logits(_rows(0))[0], network.head.bias.detach().numpy())


@runs_here
def test_the_shipped_checkpoint_moves_hardly_a_probability_by_two_hundredths() -> None:
    texts = [text for name in GRAMMARS for text, _ in draw_sentences(GRAMMARS[name], 1500, seed=3)]
    fast, exact = Classifier.load(SHIPPED, device="cpu", dtype="int8"), Classifier.load(SHIPPED, device="cpu")
    assert (fast.dtype, exact.dtype) == ("int8", "float32")
    ours, reference = fast.predict(texts), exact.predict(texts)
    moved_N = np.abs(ours - reference).max(1)
    # 99.9% of 18,000 such texts move by 0.011 at most, and one by 0.021.
    assert (moved_N > 0.02).mean() <= 0.001
    assert moved_N.max() <= 0.03
    changed = ours.argmax(1) != reference.argmax(1)
    second, first = np.sort(reference[changed], axis=1)[:, -2:].T
    assert (first - second).max(initial=0) <= 0.02  # only where two labels are as likely
    assert changed.mean() < 0.004  # some of these sentences are: with three labels twice as many as with two


@pytest.mark.parametrize(("num_texts", "threads"), [(0, 2), (1, 4), (47, 2), (48, 2), (1000, 3), (5000, 8)])
def test_the_parts_hold_every_text_once(num_texts: int, threads: int) -> None:
    lengths = np.sort(np.random.default_rng(0).integers(0, 300, num_texts))[::-1].copy()
    parts = share(lengths, threads)
    assert [row for begin, end in parts for row in range(begin, end)] == list(range(num_texts))
    assert len(parts) <= threads


@runs_here
@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"cell": "rnn"}, "cells of kind rnn"),
        ({"cell": "sru", "num_layers": 2}, "cells of kind sru"),
        ({"num_layers": 0, "pooling": "mean"}, "without recurrent layers"),
        ({"conv_width": 3}, "a convolution in front"),
        ({"pooling": "median"}, "pooling median"),
    ],
)
def test_other_networks_are_left_to_pytorch(shape: dict[str, Any], reason: str) -> None:
    architecture = COMMON.model_copy(update=shape)
    found = unfit(architecture)
    assert found is not None
    assert reason in found
    with pytest.raises(ValueError, match=f"no engine: .*{reason}"):
        Engine(architecture, {})


@runs_here
def test_long_texts_whose_states_are_kept_go_a_few_at_a_time() -> None:
    """More tokens than a block may keep: the answers are those of each text alone."""
    network = _network(num_layers=2, hidden_size=16)
    engine, rows = _engine(network), _rows(*range(2600, 2612))
    np.testing.assert_array_equal(engine.logits(rows), np.concatenate([engine.logits([row]) for row in rows]))


@runs_here
def test_an_interrupt_leaves_the_arrays_to_the_threads_that_still_compute() -> None:
    engine, found = _engine(_network(), threads=2), np.empty((60, 3), dtype=np.float32)
    array, main, interrupted, there = weakref.ref(found), get_ident(), Event(), []

    def compute(*_given: int) -> int:
        if get_ident() == main:
            raise KeyboardInterrupt
        interrupted.wait(5)
        there.append(array() is not None)
        return 0

    with suppress(KeyboardInterrupt):
        engine._compute(compute, _rows(*[3] * 60), found)
    del found
    interrupted.set()
    assert engine._pool is not None
    engine._pool.shutdown()
    assert there == [True]
    assert array() is None


@runs_here
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_lack_of_memory_is_told(threads: int) -> None:
    """In C++ it once ended the process."""
    engine = _engine(_network(num_layers=2, hidden_size=256), threads=threads)
    rows = [np.zeros(1_000_000, dtype=np.int32), *_rows(*[1] * 60)]  # half a gigabyte of states
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, before[1]))
    try:
        with pytest.raises(MemoryError, match="no memory to compute a batch"):
            engine.logits(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(engine, "LIBRARY", tmp_path / "libengine.so")
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.mark.usefixtures("unbuilt")
def test_without_the_library_pytorch_answers() -> None:
    checkpoint = make_checkpoint()
    assert Classifier(checkpoint, device="cpu", dtype="auto").dtype == "float32"
    with pytest.raises(ConfigError, match=r"int8 is not available here: its library has not been built"):
        Classifier(checkpoint, device="cpu", dtype="int8")
    with pytest.raises(ValueError, match="no engine"):
        _engine(_network())


@pytest.mark.usefixtures("unbuilt")
def test_a_library_that_cannot_be_loaded_is_none(tmp_path: Path) -> None:
    (tmp_path / "libengine.so").write_bytes(b"not a library")
    reason = unfit(COMMON)
    assert reason is not None
    assert "another version" in reason


@runs_here
@pytest.mark.parametrize("variant", variants())
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"hidden_size": 40, "pooling": "mean", "bidirectional": False},
        {"num_layers": 2, "cell": "gru", "pooling": "last"},
        {"pooling": "attention"},
    ],
)
def test_pooled_states_are_those_of_the_network(variant: str, shape: dict[str, Any]) -> None:
    network, rows = _network(**shape), _rows(*LENGTHS)
    batch = pad(rows)
    wanted = network.pooled(batch.ids_TB, batch.lengths_B).detach().numpy()
    found = _engine(network, threads=2, variant=variant).pooled(rows)
    assert found.shape == wanted.shape
    assert not found[1].any()
    np.testing.assert_allclose(found, wanted, atol=0.06)
    np.testing.assert_allclose(found, _engine(network, variant=variant).pooled(rows), atol=1e-6)
