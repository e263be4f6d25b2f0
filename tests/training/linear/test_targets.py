"""Rows of one label each, from labels, probabilities and weights."""

import numpy as np

from training.linear.targets import Targets

TRUTH = np.array([[True, False], [False, True], [False, True]])


def test_labels_are_a_row_each_without_those_of_weight_zero() -> None:
    rows = Targets(TRUTH).exclusive_rows()
    assert (rows.texts_R.tolist(), rows.labels_R.tolist(), rows.weights_R) == ([0, 1, 2], [0, 1, 1], None)
    rows = Targets(TRUTH, weights_N=np.array([2.0, 0.0, 1.0])).rows_of(1)
    assert rows.weights_R is not None
    assert (rows.texts_R.tolist(), rows.labels_R.tolist(), rows.weights_R.tolist()) == ([0, 2], [False, True], [2, 1])
    assert Targets(TRUTH, weights_N=np.zeros(3)).rows_of(1).weights_R is None


def test_probabilities_are_a_row_for_each_label_that_a_text_may_have() -> None:
    shares = np.array([[0.75, 0.25], [0.0, 1.0], [0.001, 0.999]])
    rows = Targets(TRUTH, shares, np.array([2.0, 1.0, 1.0])).exclusive_rows()
    assert rows.weights_R is not None
    assert (rows.texts_R.tolist(), rows.labels_R.tolist()) == ([0, 0, 1, 2], [0, 1, 1, 1])
    np.testing.assert_allclose(rows.weights_R, [1.5, 0.5, 1, 1])
    even = Targets(np.eye(300, dtype=bool)[:1], np.full((1, 300), 1 / 300)).exclusive_rows()
    assert len(even.labels_R) == 300
    side = Targets(TRUTH, shares).rows_of(1)
    assert (side.texts_R.tolist(), side.labels_R.tolist()) == ([0, 0, 1, 2], [False, True, True, True])


def test_texts_without_probabilities_or_weights_follow_others_that_have_them() -> None:
    shares = np.array([[0.75, 0.25], [0.0, 1.0], [0.0, 1.0]])
    both = Targets(TRUTH, shares).followed_by(Targets(TRUTH[:1], weights_N=np.array([3.0])))
    assert both.shares_NC is not None
    assert both.weights_N is not None
    assert (both.shares_NC[3].tolist(), both.weights_N.tolist()) == ([1, 0], [1, 1, 1, 3])
    assert [len(list(both.columns(task))) for task in ("single_label", "multi_label")] == [1, 2]
