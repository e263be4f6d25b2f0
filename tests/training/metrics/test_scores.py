import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import brier_score_loss, f1_score, log_loss, precision_recall_fscore_support

from model.config import Task
from training.metrics.scores import (
    accuracy,
    bootstrap_intervals,
    brier_score,
    calibration_error,
    calibration_error_equal_mass,
    confidence,
    confusion_matrix,
    decide,
    losses,
    macro_f1,
    measure,
    micro_f1,
    one_hot,
    precision_recall_f1,
    score,
    score_uncalibrated,
)

TRUTH = one_hot(np.array([0, 0, 0, 1, 1, 2]), 3)
CHOSEN = one_hot(np.array([0, 0, 1, 1, 0, 1]), 3)

decisions = arrays.arrays(bool, st.tuples(st.integers(1, 30), st.just(4)))


def test_figures_worked_out_by_hand() -> None:
    assert accuracy(TRUTH, CHOSEN) == pytest.approx(3 / 6)
    precision_C, recall_C, f1_C = precision_recall_f1(TRUTH, CHOSEN)
    assert precision_C.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert recall_C.tolist() == pytest.approx([2 / 3, 1 / 2, 0])
    assert f1_C.tolist() == pytest.approx([2 / 3, 2 / 5, 0])
    assert macro_f1(TRUTH, CHOSEN) == pytest.approx((2 / 3 + 2 / 5) / 3)
    assert micro_f1(TRUTH, CHOSEN) == pytest.approx(1 / 2)
    assert confusion_matrix(TRUTH, CHOSEN).tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]


@given(decisions, st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_f1_agrees_with_scikit_learn(truth_NC: np.ndarray, seed: int) -> None:
    chosen_NC = np.random.default_rng(seed).random(truth_NC.shape) < 0.4
    precision, recall, f1, _ = precision_recall_fscore_support(truth_NC, chosen_NC, average=None, zero_division=0)
    for ours, theirs in zip(precision_recall_f1(truth_NC, chosen_NC), (precision, recall, f1), strict=True):
        assert ours == pytest.approx(theirs)
    assert micro_f1(truth_NC, chosen_NC) == pytest.approx(
        f1_score(truth_NC, chosen_NC, average="micro", zero_division=0)
    )


def test_macro_f1_leaves_out_labels_that_do_not_occur_as_scikit_learn_does() -> None:
    truth, chosen = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    expected = f1_score(truth, chosen, average="macro")
    assert macro_f1(one_hot(truth, 5), one_hot(chosen, 5)) == pytest.approx(expected)


def test_losses_and_brier_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p_NC = rng.dirichlet(np.ones(3), size=50)
    truth_N = rng.integers(0, 3, size=50)
    truth_NC = one_hot(truth_N, 3)
    assert losses(p_NC, truth_NC, task="single_label").mean() == pytest.approx(
        log_loss(truth_N, p_NC, labels=[0, 1, 2])
    )
    brier = np.mean([brier_score_loss(truth_NC[:, c], p_NC[:, c]) for c in range(3)])
    assert brier_score(p_NC, truth_NC, task="multi_label") == pytest.approx(brier)
    assert brier_score(p_NC, truth_NC, task="single_label") == pytest.approx(3 * brier)
    assert losses(p_NC, truth_NC, task="multi_label").mean() == pytest.approx(
        np.mean([log_loss(truth_NC[:, c], p_NC[:, c]) for c in range(3)])
    )


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_certain_mistake_costs_much_but_not_infinity(task: Task) -> None:
    [loss] = losses(np.array([[1.0, 0.0]], dtype=np.float32), one_hot(np.array([1]), 2), task=task)
    assert 10 < loss < 100


def test_calibration_error_by_hand() -> None:
    # Two bins: (0.4, 0.6] is 0.55 sure and half right, (0.8, 1] is 0.9 sure and always right.
    confidence_M = np.array([0.55, 0.55, 0.9, 0.9])
    right_M = np.array([True, False, True, True])
    assert calibration_error(confidence_M, right_M, num_bins=5) == pytest.approx(0.5 * 0.05 + 0.5 * 0.1)


def test_calibration_error_bins_are_closed_above() -> None:
    # 0.5 belongs to (0, 0.5]; with 0.6 in its bin the gaps would cancel to 0.05.
    assert calibration_error(np.array([0.5, 0.6]), np.array([True, False]), num_bins=2) == pytest.approx(0.55)


def test_calibration_error_of_equal_mass_by_hand() -> None:
    # Two bins of two: (0.6, 0.7) half right and (0.9, 1.0) half right; equal width would make one of (0.5, 1].
    confidence_M = np.array([0.9, 0.6, 1.0, 0.7])
    right_M = np.array([True, False, False, True])
    assert calibration_error_equal_mass(confidence_M, right_M, num_bins=2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.45)


def test_calibration_error_of_equal_mass_asks_for_no_order_of_equals() -> None:
    confidence_M, right_M = np.full(30, 0.8), np.arange(30) < 21
    assert calibration_error_equal_mass(confidence_M, right_M) == pytest.approx(0.1)
    assert calibration_error_equal_mass(confidence_M, right_M[::-1]) == pytest.approx(0.1)


def test_confidence_of_single_and_multi_label() -> None:
    p_NC, truth_NC = np.array([[0.2, 0.8], [0.7, 0.3]]), np.array([[False, True], [False, True]])
    sure_N, right_N = confidence(p_NC, truth_NC, task="single_label")
    assert (sure_N.tolist(), right_N.tolist()) == (pytest.approx([0.8, 0.7]), [True, False])
    sure_M, right_M = confidence(p_NC, truth_NC, task="multi_label")
    assert sure_M.tolist() == pytest.approx([0.8, 0.8, 0.7, 0.7])
    assert right_M.tolist() == [True, True, False, False]


def test_decide() -> None:
    p_NC = np.array([[0.5, 0.5, 0.1]])
    assert decide(p_NC, task="single_label").tolist() == [[True, False, False]]
    assert decide(p_NC, task="multi_label").tolist() == [[True, True, False]]
    assert decide(p_NC, task="multi_label", thresholds_C=np.array([0.6, 0.4, 0.05])).tolist() == [[False, True, True]]


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


def test_score_of_single_label() -> None:
    p_NC = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    scores = score(p_NC, one_hot(np.array([0, 1, 1, 1]), 2), ("no", "yes"), task="single_label")
    assert (scores.rows, scores.accuracy, scores.majority, scores.micro_f1) == (4, 0.75, 0.75, 0.75)
    assert scores.confusion == ((1, 0), (1, 2))
    assert [(label.label, label.support) for label in scores.labels] == [("no", 1), ("yes", 3)]
    assert scores.brier == pytest.approx(2 * (0.01 + 0.16 + 0.49 + 0.04) / 4)
    assert scores.nll == pytest.approx(-np.log([0.9, 0.6, 0.3, 0.8]).mean())


def test_score_of_multi_label() -> None:
    truth_NC = np.array([[True, False], [True, True], [False, False], [False, False]])
    p_NC = np.array([[0.9, 0.2], [0.8, 0.4], [0.1, 0.1], [0.3, 0.6]])
    scores = score(p_NC, truth_NC, ("a", "b"), task="multi_label")
    assert (scores.accuracy, scores.majority, scores.confusion) == (0.5, 0.5, None)
    assert scores.micro_f1 == pytest.approx(2 * 2 / (3 + 3))
    assert scores.macro_f1 == pytest.approx((1 + 0) / 2)


def test_score_gives_labels_from_their_thresholds_but_calibration_knows_none() -> None:
    truth_NC = np.array([[True, False], [False, True]])
    p_NC = np.array([[0.9, 0.2], [0.6, 0.3]])
    plain = score(p_NC, truth_NC, ("a", "b"), task="multi_label")
    fitted = score(p_NC, truth_NC, ("a", "b"), task="multi_label", thresholds=(0.7, 0.25))
    assert (plain.accuracy, fitted.accuracy, fitted.macro_f1) == (0.5, 1.0, 1.0)
    assert (fitted.ece, fitted.ece_equal_mass, fitted.abstention) == (plain.ece, plain.ece_equal_mass, plain.abstention)
    before = score_uncalibrated(p_NC, truth_NC, task="multi_label")
    assert (before.macro_f1, before.ece, before.nll) == (plain.macro_f1, plain.ece, plain.nll)
    assert plain.abstention is not None
    assert before.aurc == plain.abstention.aurc


def test_measure_reads_logits() -> None:
    logits_NC = np.array([[2.0, 1.0], [-1.0, 3.0], [0.5, 0.0]], dtype=np.float32)
    assert measure("accuracy", "single_label")(logits_NC, np.array([0, 1, 1])) == pytest.approx(2 / 3)
    targets_NC = np.array([[1, 1], [0, 1], [0, 0]], dtype=np.float32)
    assert measure("accuracy", "multi_label")(logits_NC, targets_NC) == pytest.approx(2 / 3)
    assert measure("macro_f1", "multi_label")(logits_NC, targets_NC) == pytest.approx((2 / 3 + 4 / 5) / 2)
