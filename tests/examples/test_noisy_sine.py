from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from examples.noisy_sine import AHEAD, NOISE, WINDOW, linear, main, recursive, rmse, run, windows


def test_the_network_forecasts_better_than_what_is_trivial() -> None:
    outcome = run(steps=100, seed=0)
    trivial = ("last value", "mean of the window")
    assert NOISE * 0.9 < outcome.one_step["LSTM"] < 0.6 * min(outcome.one_step[name] for name in trivial)
    assert outcome.recursive["LSTM"] < 0.5 * min(outcome.recursive[name] for name in trivial)
    assert rmse(outcome.forecast_S, outcome.clean_S) < 0.5
    assert len(outcome.window_T) == WINDOW
    assert len(outcome.clean_S) == AHEAD


def test_a_recursive_forecast_reads_its_own_answers() -> None:
    # Each value is the sum of the last two: Fibonacci's numbers.
    x_TN = np.array([[0.0], [1.0], [1.0]], dtype=np.float32)
    assert recursive(lambda x_TN: x_TN[-1] + x_TN[-2], x_TN, 5).ravel().tolist() == [2, 3, 5, 8, 13]


def test_a_sine_without_noise_is_a_linear_function_of_its_window() -> None:
    x_TN, next_N = windows(np.sin(np.arange(200, dtype=np.float32) / 4))
    assert rmse(linear(x_TN, next_N)(x_TN), next_N) < 1e-4
    assert rmse(x_TN[-1], next_N) == pytest.approx(2 * np.sin(1 / 8) / np.sqrt(2), rel=0.02)


def test_the_program_prints_its_yardsticks_and_draws(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--steps", "2", "--output", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    for name in ("LSTM", "last value", "mean of the window", "linear, least squares"):
        assert name in result.output
    assert (tmp_path / "noisy_sine.png").stat().st_size > 10_000
