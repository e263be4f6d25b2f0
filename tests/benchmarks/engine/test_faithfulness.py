"""The measures of faithfulness, worked out by hand on a model that counts."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.engine.faithfulness import measure, rank_correlation
from model.batch import Ids
from model.explain.log_odds import Floats, Labels

ROW: Ids = np.array([0, 0, 1, 0], dtype=np.int32)


def _has_a_one(rows: Sequence[Ids], labels: Labels) -> Floats:
    """1 for a text that holds a 1, of label 1."""
    assert len(rows) == len(labels)
    return np.array([float((1 in row) == label) for row, label in zip(rows, labels, strict=True)])


def test_the_right_order_loses_all_at_once() -> None:
    (found,) = measure(_has_a_one, [ROW], np.array([1]), [np.array([0.1, 0.2, 5.0, 0.3])])
    # p: 1 0 0 0 0, q: 0 1 1 1 1; areas by trapezoids a quarter wide.
    assert found == pytest.approx([0.125, 0.875, 1.0, 0.0])


def test_the_wrong_order_loses_nothing_until_the_end() -> None:
    (found,) = measure(_has_a_one, [ROW], np.array([1]), [np.array([0.1, 0.2, -5.0, 0.3])])
    # p: 1 1 1 1 0, q: 0 0 0 0 1.
    assert found == pytest.approx([0.875, 0.125, 0.0, 1.0])


def test_each_text_is_measured_by_its_own_label_and_shares_of_its_tokens() -> None:
    rows = [ROW, np.array([1] + [0] * 19, dtype=np.int32)]
    scores = [np.array([0.1, 0.2, 5.0, 0.3]), np.array([18.5, *range(20, 1, -1)])]
    found = measure(_has_a_one, rows, np.array([1, 1]), scores)
    assert found[0] == pytest.approx([0.125, 0.875, 1.0, 0.0])
    # The 1 comes third: of 1, 1, 2, 4 and 10 first tokens the last two have it.
    assert found[1] == pytest.approx([2.5 / 20, 17.5 / 20, 2 / 5, 3 / 5])


def test_ranks_agree_whatever_the_scale() -> None:
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([9.0, 4.0, 1.0])) == -1.0
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1e9])) == 1.0
