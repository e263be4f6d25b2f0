import numpy as np
import pytest

from training.metrics.bootstrap import bootstrap_intervals
from training.metrics.decisions import one_hot
from training.metrics.scores import accuracy, macro_f1

TRUTH = one_hot(np.array([0, 0, 0, 1, 1, 2]), 3)
CHOSEN = one_hot(np.array([0, 0, 1, 1, 0, 1]), 3)


def test_bootstrap_is_seeded_and_covers() -> None:
    truth_NC, chosen_NC = np.tile(TRUTH, (50, 1)), np.tile(CHOSEN, (50, 1))
    intervals = bootstrap_intervals(truth_NC, chosen_NC, seed=1)
    assert intervals == bootstrap_intervals(truth_NC, chosen_NC, seed=1)
    assert intervals != bootstrap_intervals(truth_NC, chosen_NC, seed=2)
    for (low, high), value in zip(intervals, (accuracy(TRUTH, CHOSEN), macro_f1(TRUTH, CHOSEN)), strict=True):
        assert low < value < high


def test_bootstrap_of_accuracy_has_the_width_of_the_binomial() -> None:
    right = np.arange(400) < 300
    truth_NC = one_hot(np.zeros(400, dtype=np.int64), 2)
    chosen_NC = one_hot((~right).astype(np.int64), 2)
    (low, high), _ = bootstrap_intervals(truth_NC, chosen_NC, seed=0)
    half_width = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert low == pytest.approx(0.75 - half_width, abs=0.005)
    assert high == pytest.approx(0.75 + half_width, abs=0.005)


def test_bootstrap_of_macro_f1_agrees_with_drawing_rows() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 3, size=200)
    chosen_N = np.where(rng.random(200) < 0.7, truth_N, rng.integers(0, 3, size=200))
    truth_NC, chosen_NC = one_hot(truth_N, 3), one_hot(chosen_N, 3)
    drawn = [macro_f1(truth_NC[rows], chosen_NC[rows]) for rows in rng.integers(0, 200, size=(1000, 200))]
    _, interval = bootstrap_intervals(truth_NC, chosen_NC, seed=0)
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.01)
