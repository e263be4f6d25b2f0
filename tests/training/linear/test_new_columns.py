"""N-grams of labels that a network learns later: they tell these apart, and old labels are answered as before."""

import numpy as np
import pytest
import torch

from model.config import Architecture, Task
from model.network import RecurrentClassifier
from model.padding import pad
from training.linear.new_columns import MOST, fit_new_columns, with_new_columns
from training.linear.ngrams import Floats, count_ngrams
from training.linear.targets import Targets

NEW = np.array([1, 3])
BUCKETS = 256
LABEL_N = np.tile([1, 3, 3, 0], 30)
"""The last texts of four have an old label, of which nothing is to be learned here."""


@pytest.fixture
def network() -> RecurrentClassifier:
    torch.manual_seed(0)
    shape = Architecture(vocab_size=60, embedding_dim=4, hidden_size=4, ngram_buckets=BUCKETS, ngram_order=2)
    network = RecurrentClassifier(shape, 4).eval()
    assert network.ngrams is not None
    network.ngrams.table[:, [0, 2]] = torch.randn(BUCKETS, 2)
    return network


def rows() -> list[np.ndarray]:
    """Texts of random tokens, in the middle the number of their label."""
    rng = np.random.default_rng(0)
    return [np.array([*rng.integers(10, 60, 4), label, *rng.integers(10, 60, 4)], np.int32) for label in LABEL_N]


def logits_of(network: RecurrentClassifier) -> Floats:
    batch = pad(rows())
    with torch.inference_mode():
        return network(batch.ids_TB, batch.lengths_B).numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_new_labels_are_told_by_their_words_and_old_ones_stay(network: RecurrentClassifier, task: Task) -> None:
    before, present = logits_of(network), count_ngrams(rows(), 2, BUCKETS)
    targets = Targets(np.eye(4, dtype=bool)[LABEL_N])
    worthless = np.zeros_like(before)
    found = fit_new_columns(present, targets, present, targets, worthless, NEW, 2, (1.0,), task)
    assert found is not None
    after = logits_of(with_new_columns(network, found, NEW, task))
    np.testing.assert_allclose(after[:, [0, 2]], before[:, [0, 2]], atol=1e-5)
    first, second = (after[:, NEW] - before[:, NEW]).T
    assert (first[LABEL_N == 1] > 0).all()
    assert (first[LABEL_N == 3] < 0).all()
    assert (second[LABEL_N == 3] > 0).all()
    if task == "single_label":
        linear = present @ found.table_FC + found.bias_C
        assert (found.shares.ngrams_C / found.shares.network_C > MOST).all()
        expected = MOST * (linear - linear.mean(axis=1, keepdims=True))  # together they stand as high as before
        np.testing.assert_allclose(after[:, NEW] - before[:, NEW], expected, atol=1e-4)
    np.testing.assert_array_equal(logits_of(network), before)


def test_one_new_label_or_none_to_choose_by_leaves_the_network_alone(network: RecurrentClassifier) -> None:
    present, logits = count_ngrams(rows(), 2, BUCKETS), logits_of(network)
    targets = Targets(np.eye(4, dtype=bool)[LABEL_N])
    given = (present, targets, present, targets, logits)
    assert fit_new_columns(*given, NEW[:1], 2, (1.0,), "single_label") is None
    assert fit_new_columns(*given, NEW[:1], 2, (1.0,), "multi_label") is not None
    old = np.flatnonzero(LABEL_N == 0)
    chosen_by = (present[old], targets.take(old), logits[old])
    assert fit_new_columns(present, targets, *chosen_by, NEW, 2, (1.0,), "single_label") is None
