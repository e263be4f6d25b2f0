"""The emulation without roundings is the network, and with all of them it follows the engine."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.engine.rounding import STEPS, logits, main, moved_by_step
from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import load_checkpoint, save_checkpoint
from model.engine.cpu import Engine, variants
from model.library import LIBRARY
from model.padding import pad
from model.text import TextEncoder
from tests.conftest import make_checkpoint
from training.data.contrast.draw import draw_language

needs_library = pytest.mark.skipif(not LIBRARY.is_file(), reason="the engine's library is not built")


def test_without_roundings_it_is_the_network() -> None:
    checkpoint, rng = make_checkpoint(), np.random.default_rng(0)
    size = checkpoint.config.architecture.vocab_size
    rows = [rng.integers(0, size, length).astype(np.int32) for length in (3, 9, 1, 9)]
    batch = pad(rows)
    reference = checkpoint.build_network()(batch.ids_TB, batch.lengths_B).detach().numpy()
    ours = logits(checkpoint, rows, frozenset()) + checkpoint.weights["head.bias"]
    np.testing.assert_allclose(ours, reference, atol=1e-5)


@pytest.mark.skipif("avx512-fixed" not in variants(), reason="needs AVX-512 with VNNI")
def test_with_all_roundings_it_follows_the_engine() -> None:
    """In the mean of many texts: of six the ratio was 0.6 to 0.8, by checkpoint; of these it is below 0.6."""
    checkpoint = load_checkpoint(SHIPPED)
    texts = [text for text, _ in draw_language("en", count=200, neutral=0, seed=1)]
    rows = [text.ids for text in TextEncoder(checkpoint.tokenizer, max_tokens=64).encode(texts)]
    batch = pad(rows)
    reference = checkpoint.build_network()(batch.ids_TB, batch.lengths_B).detach().numpy()
    engine = Engine(checkpoint.config.architecture, checkpoint.weights, variant="avx512-fixed").logits(rows)
    moved = logits(checkpoint, rows, frozenset(STEPS)) - logits(checkpoint, rows, frozenset())
    assert np.abs(reference + moved - engine).mean() < 0.7 * np.abs(reference - engine).mean()


@needs_library
def test_each_rounding_moves_the_logits_a_little() -> None:
    checkpoint = make_checkpoint()
    moved = moved_by_step(checkpoint, [np.arange(length, dtype=np.int32) for length in (20, 5)])
    assert set(moved) == {*STEPS, "all", *(f"all without {step}" for step in STEPS)}
    for each in moved.values():
        assert each.shape == (2, 2)
        assert 0 < np.abs(each).max() < 0.1


@needs_library
def test_the_command_prints_each_rounding_and_refuses_other_networks(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("text,label\na fine film,positive\ndull,negative\n", "utf-8")
    for cell in ("lstm", "gru"):
        save_checkpoint(tmp_path / cell, make_checkpoint(cell=cell))
    done = CliRunner().invoke(main, [str(file), "--checkpoint", str(tmp_path / "lstm")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "all without states" in done.output
    refused = CliRunner().invoke(main, [str(file), "--checkpoint", str(tmp_path / "gru")])
    assert refused.exit_code == 1
    assert "which alone is emulated" in refused.output
    past = CliRunner().invoke(main, [str(file), "--checkpoint", str(tmp_path / "lstm"), "--first", "5"])
    assert "no text from number 5" in past.output
