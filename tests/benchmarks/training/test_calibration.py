"""The comparison of ways to calibrate finds the way by which texts were made."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.training.calibration import WAYS, Texts, gain_by_language, join, judge, main
from model.probabilities import probabilities
from training.metrics.decisions import one_hot


def drawn(seed: int, chinese: float, temperature: float, rows: int = 3000) -> Texts:
    """Two labels, whose honest probabilities are those of the logits over the temperature."""
    rng = np.random.default_rng(seed)
    z_NC = rng.normal(scale=2, size=(rows, 2))
    places_N = (rng.random(rows) > probabilities(z_NC, task="single_label")[:, 0]).astype(np.int64)
    length_N, sure_N = rng.random(rows), rng.random(rows)
    shares = {"language": np.full(rows, chinese), "length": length_N, "confidence": sure_N}
    return Texts(
        z_NC * temperature,
        one_hot(places_N, 2),
        {name: np.stack([1 - share_N, share_N], axis=1) for name, share_N in shares.items()},
    )


@pytest.mark.parametrize("unseen", [False, True])
def test_two_languages_want_two_temperatures(unseen: bool) -> None:
    sets = {f"{name}{seed}": drawn(seed, *of) for seed in (0, 1) for name, of in
            {"en": (0.0, 2.0), "zh": (1.0, 0.5)}.items()}  # fmt: skip
    found = {name: judge(sets, way, 1500, 0, unseen) for name, way in WAYS.items()}
    error, chance, _, nll = found["language"].T
    assert (error < 2 * chance).all()
    assert found["one"][:, 0].mean() > 3 * error.mean()
    assert (nll < found["one"][:, 3]).all()
    assert (found["language, length"][:, 3] < nll + 0.01).all()


def test_two_temperatures_pay_from_some_texts_on() -> None:
    texts = join([drawn(0, 0.0, 1.3), drawn(1, 1.0, 0.9)])
    languages = [np.arange(3000), np.arange(3000, 6000)]
    few, many = (np.mean([gain_by_language(texts, languages, size, seed) for seed in range(8)]) for size in (10, 1000))
    assert many < 0 < few


def test_prints_a_row_for_each_set(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        rows = "\n".join(f"a good film {i},{('positive', 'negative')[i % 2]}" for i in range(40))
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{rows}\n", encoding="utf-8")
    files = [str(tmp_path / f"{name}.csv") for name in ("first", "second")]
    result = CliRunner().invoke(main, [str(tiny_checkpoint), *files, "--seeds", "2"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.count("| first |") == result.output.count("| second |") == 2
    assert "| mean |" in result.output
