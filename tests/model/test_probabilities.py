"""Softmax and sigmoid against SciPy's, in both number formats, and over any number of axes."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from model.config import Task
from model.probabilities import probabilities

LOGITS = np.array([[1000.0, -1000.0, 0.0], [1.0, 2.0, 3.0], [-30.0, -31.0, -90.0]])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 3e-7), (np.float64, 1e-15)])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_agrees_with_scipy_and_does_not_overflow(dtype: Any, tolerance: float, temperature: float) -> None:
    logits_NC = LOGITS.astype(dtype)
    tasks: list[tuple[Task, Any]] = [("single_label", partial(softmax, axis=1)), ("multi_label", expit)]
    for task, theirs in tasks:
        ours = probabilities(logits_NC, task=task, temperature=temperature)
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs(LOGITS / temperature), rtol=100 * tolerance, atol=tolerance)


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_a_row_alone_and_a_stack_of_rows_are_the_same(task: Any) -> None:
    whole = probabilities(LOGITS, task=task)
    assert np.array_equal(probabilities(LOGITS[1], task=task), whole[1])
    assert np.array_equal(probabilities(LOGITS[None], task=task)[0], whole)
    assert probabilities(LOGITS[:0], task=task).shape == (0, 3)


def test_a_small_probability_keeps_its_digits() -> None:
    small = probabilities(np.array([[-80.0]], dtype=np.float32), task="multi_label")
    assert small[0, 0] == pytest.approx(np.exp(-80.0), rel=1e-5)
