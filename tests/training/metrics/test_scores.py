import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from model.config import Task
from training.metrics.decisions import one_hot
from training.metrics.scores import (
    accuracy,
    brier_score,
    losses,
    macro_f1,
    measure,
    micro_f1,
    precision_recall_f1,
    score,
    score_uncalibrated,
)

TRUTH = one_hot(np.array([0, 0, 0, 1, 1, 2]), 3)
CHOSEN = one_hot(np.array([0, 0, 1, 1, 0, 1]), 3)


def test_figures_worked_out_by_hand() -> None:
    assert accuracy(TRUTH, CHOSEN) == pytest.approx(3 / 6)
    precision_C, recall_C, f1_C = precision_recall_f1(TRUTH, CHOSEN)
    assert precision_C.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert recall_C.tolist() == pytest.approx([2 / 3, 1 / 2, 0])
    assert f1_C.tolist() == pytest.approx([2 / 3, 2 / 5, 0])
    assert macro_f1(TRUTH, CHOSEN) == pytest.approx((2 / 3 + 2 / 5) / 3)
    assert micro_f1(TRUTH, CHOSEN) == pytest.approx(1 / 2)
    confusion = score(CHOSEN.astype(float), TRUTH, ("a", "b", "c"), task="single_label").confusion
    assert confusion == ((2, 1, 0), (1, 1, 0), (0, 1, 0))


def test_macro_f1_leaves_out_labels_that_occur_nowhere() -> None:
    truth, chosen = one_hot(np.array([0, 0, 1, 1]), 5), one_hot(np.array([0, 1, 1, 1]), 5)
    assert macro_f1(truth, chosen) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert precision_recall_f1(truth, chosen)[2].tolist() == pytest.approx([2 / 3, 4 / 5, 0, 0, 0])


def test_one_label_that_a_text_has_or_not() -> None:
    truth_N1, chosen_N1 = (np.array([column], dtype=bool).T for column in ([1, 1, 1, 0, 0], [1, 1, 0, 1, 0]))
    assert accuracy(truth_N1, chosen_N1) == pytest.approx(3 / 5)
    assert [scores_C.tolist() for scores_C in precision_recall_f1(truth_N1, chosen_N1)] == [[pytest.approx(2 / 3)]] * 3
    assert macro_f1(truth_N1, chosen_N1) == micro_f1(truth_N1, chosen_N1) == pytest.approx(2 / 3)


def test_nothing_there_and_nothing_chosen() -> None:
    nothing_NC = np.zeros((3, 2), dtype=bool)
    assert (macro_f1(nothing_NC, nothing_NC), micro_f1(nothing_NC, nothing_NC)) == (0.0, 0.0)
    assert accuracy(nothing_NC, nothing_NC) == 1.0


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
