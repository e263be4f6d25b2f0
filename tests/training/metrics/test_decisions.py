import numpy as np
import pytest

from training.metrics.decisions import confidence, decide


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
