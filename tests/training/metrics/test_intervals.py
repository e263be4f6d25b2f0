import numpy as np
import pytest

from training.metrics.decisions import one_hot
from training.metrics.intervals import (
    bootstrap_interval,
    difference_interval,
    f1_interval,
    intervals,
    posterior_interval,
    wilson_interval,
)
from training.metrics.scores import accuracy, macro_f1

TRUTH = one_hot(np.array([0, 0, 0, 1, 1, 2]), 3)
CHOSEN = one_hot(np.array([0, 0, 1, 1, 0, 1]), 3)


def test_intervals_are_seeded_and_cover() -> None:
    truth_NC, chosen_NC = np.tile(TRUTH, (50, 1)), np.tile(CHOSEN, (50, 1))
    found = intervals(truth_NC, chosen_NC, seed=1)
    assert found == intervals(truth_NC, chosen_NC, seed=1)
    assert found[1] != intervals(truth_NC, chosen_NC, seed=2)[1]
    for (low, high), value in zip(found, (accuracy(TRUTH, CHOSEN), macro_f1(TRUTH, CHOSEN)), strict=True):
        assert low < value < high


@pytest.mark.parametrize(
    ("num_right", "total", "expected"),
    [(6, 6, (0.6097, 1.0)), (0, 6, (0.0, 0.3903)), (5, 10, (0.2366, 0.7634)), (81, 263, (0.2553, 0.3662))],
)  # fmt: skip
def test_accuracy_has_the_interval_of_wilson(num_right: int, total: int, expected: tuple[float, float]) -> None:
    """Source of 81 of 263: Newcombe 1998, table I, method 3 (score without continuity correction)."""
    assert wilson_interval(num_right, total) == pytest.approx(expected, abs=5e-5)
    truth_NC = one_hot(np.zeros(total, dtype=np.int64), 2)
    chosen_NC = one_hot((np.arange(total) >= num_right).astype(np.int64), 2)
    assert intervals(truth_NC, chosen_NC, seed=0)[0] == pytest.approx(expected, abs=5e-5)


def test_bootstrap_of_macro_f1_agrees_with_drawing_rows() -> None:
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 3, size=200)
    chosen_N = np.where(rng.random(200) < 0.7, truth_N, rng.integers(0, 3, size=200))
    truth_NC, chosen_NC = one_hot(truth_N, 3), one_hot(chosen_N, 3)
    drawn = [macro_f1(truth_NC[rows], chosen_NC[rows]) for rows in rng.integers(0, 200, size=(1000, 200))]
    interval = bootstrap_interval(truth_NC, chosen_NC, seed=0)
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.01)
    assert intervals(truth_NC, chosen_NC, seed=0)[1] == interval
    assert posterior_interval(truth_NC, chosen_NC, seed=0) == pytest.approx(interval, abs=0.03)


@pytest.mark.parametrize("num_labels", [2, 3, 1000])
def test_no_error_among_few_texts_is_no_proof_of_none(num_labels: int) -> None:
    truth_NC = one_hot(np.arange(max(6, num_labels)) % num_labels, num_labels)
    _, (low, high) = intervals(truth_NC, truth_NC, seed=0)
    assert high == 1.0
    assert (0.5 < low < 0.9) if num_labels < 1000 else (0.99 < low < 0.9995)


def test_without_texts_everything_is_possible() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_intervals_of_multi_label_texts() -> None:
    truth_NC = np.array([[True, False, False], [True, True, False], [False, False, False]] * 4)
    _, (low, high) = intervals(truth_NC, truth_NC, seed=0)
    assert 0.5 < low < high == 1.0
    _, (low, high) = intervals(truth_NC, ~truth_NC, seed=0)
    assert low == 0.0 < high < 0.5
    nothing = np.zeros((4, 3), dtype=np.bool_)
    assert intervals(nothing, nothing, seed=0)[1] == (0.0, 1.0)


def test_about_nineteen_intervals_in_twenty_hold_the_truth() -> None:
    """Two labels of equal frequency and an error rate of 5% each have a macro-F1 of 0.95."""
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(300):
        truth_N = np.arange(60) % 2
        chosen_N = np.where(rng.random(60) < 0.95, truth_N, 1 - truth_N)
        low, high = posterior_interval(one_hot(truth_N, 2), one_hot(chosen_N, 2), seed=seed)
        covered.append(low <= 0.95 <= high)
    assert 0.92 < np.mean(covered) <= 1


@pytest.mark.parametrize(("hits", "false", "missed"), [(8, 1, 1), (30, 12, 3), (0, 4, 0), (5, 0, 0)])
def test_the_interval_of_f1_holds_f1_and_grows_with_errors(hits: int, false: int, missed: int) -> None:
    low, high = f1_interval(hits, false + missed)
    assert 0 <= low <= 2 * hits / (2 * hits + false + missed) <= high <= 1
    assert f1_interval(hits, false + missed + 5) < (low, high)
    wide = f1_interval(10 * hits, 10 * (false + missed))
    assert wide[1] - wide[0] < high - low


def test_the_interval_of_f1_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits, false, missed = rng.multinomial(80, [0.7, 0.2, 0.1], size=2000).T
    truth = 2 * 0.7 / (2 * 0.7 + 0.3)
    inside = [
        low <= truth <= high
        for low, high in (f1_interval(h, n) for h, n in zip(hits.tolist(), (false + missed).tolist(), strict=True))
    ]
    assert 0.92 < np.mean(inside) < 0.98


def test_the_interval_of_macro_f1_holds_macro_f1_with_many_rare_labels_that_are_missed() -> None:
    truth, chosen = np.zeros((2, 300, 94), dtype=np.bool_)
    truth[np.arange(300), np.where(np.arange(300) < 200, 0, np.arange(300) % 93 + 1)] = True
    chosen[:, 0] = True
    low, high = bootstrap_interval(truth, chosen, seed=0)
    assert low <= macro_f1(truth, chosen) <= high


def test_the_interval_of_a_difference_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    gained, lost, _ = rng.multinomial(200, [0.08, 0.03, 0.89], size=2000).T
    inside = [
        low <= 0.05 <= high
        for low, high in (difference_interval(g, n, 200) for g, n in zip(gained.tolist(), lost.tolist(), strict=True))
    ]
    assert 0.93 < np.mean(inside) < 0.985
    low, high = difference_interval(0, 0, 2)
    assert -1 <= low < 0 < high <= 1, "two texts on which both agree show nothing"
