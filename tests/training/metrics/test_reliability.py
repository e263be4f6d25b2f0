import numpy as np
import pytest

from training.metrics.intervals import wilson_interval
from training.metrics.reliability import reliability


def test_bins_have_as_many_answers_and_their_own_accuracy() -> None:
    confidence = np.linspace(0.5, 0.99, 100)
    right = np.arange(100) >= 20
    bins = reliability(confidence, right, num_bins=4)
    assert [found.answers for found in bins] == [25] * 4
    assert [found.accuracy for found in bins] == [0.2, 1.0, 1.0, 1.0]
    assert bins[0].interval == wilson_interval(5, 25)
    assert bins[0].confidence == pytest.approx(confidence[:25].mean())


def test_equally_sure_answers_share_a_bin_whatever_their_order() -> None:
    confidence = np.array([1.0, 0.5, 1.0, 1.0])
    right = np.array([True, False, False, True])
    bins = reliability(confidence, right)
    assert [(found.answers, found.accuracy) for found in bins] == [(1, 0.0), (3, pytest.approx(2 / 3))]
    order = [2, 0, 1, 3]
    assert reliability(confidence[order], right[order]) == bins
    assert len(reliability(confidence[:1], right[:1])) == 1
