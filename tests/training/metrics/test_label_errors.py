"""Doubtful labels: order, the label in doubt, and the count of confident learning by hand."""

import numpy as np
import pytest

from training.metrics.decisions import one_hot
from training.metrics.label_errors import precision_at, rank_label_errors

PROBABILITIES = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.45, 0.1, 0.45], [0.2, 0.35, 0.45]])
GIVEN = one_hot(np.array([0, 0, 2, 2]), 3)


def test_self_confidence_and_margin_may_disagree() -> None:
    by_confidence = rank_label_errors(PROBABILITIES, GIVEN, task="single_label")
    assert by_confidence.order_N.tolist() == [1, 2, 3, 0]
    by_margin = rank_label_errors(PROBABILITIES, GIVEN, task="single_label", by="margin")
    assert by_margin.order_N.tolist() == [1, 2, 3, 0]
    assert by_confidence.label_N.tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(by_confidence.given_N, [0.6, 0.1, 0.45, 0.45])
    np.testing.assert_allclose(by_confidence.other_N, [0.3, 0.8, 0.45, 0.35])


def test_margin_prefers_a_sure_other_answer() -> None:
    p = np.array([[0.30, 0.35, 0.35], [0.35, 0.65, 0.0]])
    given = one_hot(np.array([0, 0]), 3)
    assert rank_label_errors(p, given, task="single_label").order_N.tolist() == [0, 1]
    assert rank_label_errors(p, given, task="single_label", by="margin").order_N.tolist() == [1, 0]


def test_confident_learning_counts_texts_that_reach_the_mean_of_another_label() -> None:
    """The means are 0.8 and 0.7 over the texts that bear each label; only the third reaches the other one's."""
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.35, 0.65], [0.3, 0.7], [0.25, 0.75]])
    given = one_hot(np.array([0, 0, 0, 0, 1, 1]), 2)
    assert p[:4, 0].mean() == pytest.approx(0.5875)
    assert rank_label_errors(p, given, task="single_label").expected == 1


def test_a_label_of_one_text_takes_no_text_from_likelier_labels() -> None:
    """The third label's mean is 0.01, which all texts reach; the first two are below their own label's mean of 0.8."""
    p = np.array([[0.7, 0.2, 0.1], [0.7, 0.28, 0.02], [0.9, 0.08, 0.02], [0.9, 0.08, 0.02], [0.04, 0.95, 0.01]])
    rare = one_hot(np.array([0, 0, 0, 0, 2]), 3)
    assert rank_label_errors(p, rare, task="single_label").expected == 0
    taken = np.vstack([p, [0.2, 0.1, 0.7]])
    given = one_hot(np.array([0, 0, 0, 0, 2, 0]), 3)
    assert rank_label_errors(taken, given, task="single_label").expected == 1, "where it is likelier it does"


def test_a_set_of_labels_is_doubted_by_its_worst_decision() -> None:
    p = np.array([[0.9, 0.8], [0.9, 0.1], [0.6, 0.2]])
    given = np.array([[True, False], [True, False], [False, False]])
    doubts = rank_label_errors(p, given, task="multi_label")
    assert doubts.order_N.tolist() == [0, 2, 1]
    assert doubts.label_N.tolist() == [1, 0, 0]
    np.testing.assert_allclose(doubts.given_N, [0.2, 0.9, 0.4])
    assert doubts.expected == 0, "0.6 is below the 0.9 of those that have the first label; nobody has the second"


def test_a_label_that_is_surely_missing_is_counted() -> None:
    p = np.array([[0.7], [0.8], [0.95], [0.1]])
    given = np.array([[True], [True], [False], [False]])
    assert rank_label_errors(p, given, task="multi_label").expected == 1


def test_precision_is_that_of_the_first_texts() -> None:
    doubts = rank_label_errors(PROBABILITIES, GIVEN, task="single_label")
    wrong = np.array([False, True, False, False])
    assert [precision_at(doubts, wrong, share) for share in (0.05, 0.25, 0.5)] == [1.0, 1.0, 0.5]
