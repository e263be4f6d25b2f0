"""Doubtful labels of training texts: found, shown with their rows, and never removed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.reporting.test_baseline import dataset
from training.reporting import doubts
from training.reporting.doubts import BY_NETWORK, BY_REGRESSION, find_label_errors, sentence_vectors

LABELS = ("negative", "positive")


def swapped(name: str) -> str:
    return LABELS[1 - LABELS.index(name)]


@pytest.fixture
def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubts, "ENCODER", Path("nowhere"))


@pytest.mark.usefixtures("_no_encoder")
def test_planted_errors_come_first_and_nothing_is_removed() -> None:
    data = dataset(120, 0)
    planted = [10, 33, 70]
    labels = [(swapped(names[0]),) if i in planted else names for i, names in enumerate(data.labels)]
    found = find_label_errors(replace(data, labels=labels), LABELS, seed=0)
    assert found.judged_by == BY_REGRESSION
    assert {one.row for one in found.texts[:3]} == {f"row {i + 1}" for i in planted}
    assert all(one.answer == (swapped(one.given[0]),) for one in found.texts)
    assert all(one.given_probability < one.answer_probability for one in found.texts)
    assert found.expected >= 3
    assert (found.rows, found.of, len(data)) == (120, 120, 120)


def test_probabilities_of_networks_are_taken_where_there_are_some() -> None:
    data = dataset(4, 0)
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    found = find_label_errors(data, LABELS, seed=0, out_of_fold_NC=p)
    assert found.judged_by == BY_NETWORK
    assert [one.row for one in found.texts] == ["row 1"], "row 1 and 3 are positive, the others negative"
    assert found.texts[0].given_probability == pytest.approx(0.1)


@pytest.mark.usefixtures("_no_encoder")
def test_many_texts_are_sampled_and_sets_name_the_label_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubts, "MOST_ROWS", 90)
    data = dataset(120, 0, lists=True)
    labels = [tuple(name for name in names if name != "positive") for names in data.labels[:3]] + data.labels[3:]
    found = find_label_errors(replace(data, labels=labels), (*LABELS, "neutral"), seed=0)
    assert (found.rows, found.of) == (90, 120)
    assert all(len(one.answer) == 1 for one in found.texts)


def test_the_shipped_encoder_tells_texts_that_mean_the_same() -> None:
    found = sentence_vectors(["a lovely film", "a charming movie", "trains are late again", "火车又晚点了"])
    assert found is not None
    np.testing.assert_allclose((found**2).sum(axis=1), 1.0, rtol=1e-5)
    near = found @ found.T
    assert near[0, 1] > near[0, 2]
    assert near[2, 3] > near[0, 3]
