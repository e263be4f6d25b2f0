"""The n-grams beside the network: what is counted, how the two are weighed, and that the sum is what is served."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from model.batch import Ids
from model.config import Architecture, Task
from model.network import RecurrentClassifier
from model.ngrams import NgramBag
from model.padding import pad
from training.config.config import build_config
from training.errors import UsageError
from training.linear.ngrams import (
    best_shares,
    count_ngrams,
    draw_rows,
    enough_buckets,
    fit_blend,
    fit_table,
    joined,
    mean_loss,
)
from training.linear.targets import Targets


def _rows(*lengths: int) -> list[Ids]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 50, length).astype(np.int32) for length in lengths]


def test_what_is_counted_is_what_the_model_looks_up() -> None:
    rows = _rows(5, 0, 1, 3000, 12)
    present = count_ngrams(rows, 3, 512)
    assert present.shape == (5, 512)
    np.testing.assert_allclose(np.asarray(present.power(2).sum(1)).ravel(), [1, 0, 1, 1, 1], rtol=1e-5)
    bag = NgramBag(512, 3, 2)
    bag.table.copy_(torch.randn(512, 2))
    batch = pad(rows)
    np.testing.assert_allclose(
        present @ bag.table.numpy(), bag(batch.ids_TB, batch.lengths_B).numpy(), atol=1e-3, rtol=1e-4
    )


def test_there_are_about_twice_as_many_buckets_as_n_grams() -> None:
    rows = [np.arange(start, start + 10, dtype=np.int32) for start in range(0, 5000, 10)]  # 5,000 tokens, 4,500 pairs
    assert enough_buckets(rows, 1, 2) == 2**14
    assert enough_buckets(rows, 2, 2) == 2**15
    assert enough_buckets([], 2, 2) == 2
    assert enough_buckets(rows, 2, 2**20) == 2**3


def test_the_better_of_two_models_counts_more() -> None:
    rng = np.random.default_rng(0)
    truth = np.eye(2, dtype=bool)[rng.integers(0, 2, 400)]
    signal, noise = np.where(truth, 1.0, -1.0) + rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    shares = best_shares(noise, signal, Targets(truth), "single_label")
    assert shares.ngrams_C[0] == shares.ngrams_C[1] > 1.0
    assert shares.network_C[0] == shares.network_C[1] == pytest.approx(0.05, abs=0.3)
    assert shares.offset_C.tolist() == [0, 0]
    assert shares.loss < mean_loss(noise, truth, "single_label")


def test_labels_that_are_a_decision_each_have_their_own_shares_and_their_own_rarity() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((2000, 2)) < (0.5, 0.02)
    signal, noise = np.where(truth, 1.0, -1.0) + rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2))
    network, linear = np.stack([signal[:, 0], noise[:, 1]], axis=1), np.stack([noise[:, 0], signal[:, 1]], axis=1)
    shares = best_shares(network, linear, Targets(truth), "multi_label")
    assert shares.network_C[0] > 1.5 > 0.5 > shares.network_C[1]
    assert shares.ngrams_C[0] < 0.5 < 1.5 < shares.ngrams_C[1]
    # Normal scores of mean 1 and -1: the log-odds are 2 s plus those of the label itself (Bayes), ln 0.02/0.98 = -3.9.
    np.testing.assert_allclose(shares.offset_C, [0, -3.9], atol=0.8)
    assert shares.loss == pytest.approx(mean_loss(shares.logits(network, linear), truth, "multi_label"))


@pytest.mark.parametrize(("num_labels", "task"), [(2, "single_label"), (3, "single_label"), (3, "multi_label")])
def test_both_together_give_the_weighed_sum(num_labels: int, task: Task) -> None:
    torch.manual_seed(0)
    network = RecurrentClassifier(Architecture(vocab_size=50, embedding_dim=4, hidden_size=3), num_labels).eval()
    rows, rng = _rows(*range(4, 64)), np.random.default_rng(1)
    truth = np.eye(num_labels, dtype=bool)[rng.integers(0, num_labels, 60)]
    batch, present = pad(rows), count_ngrams(rows, 2, 256)
    logits = network(batch.ids_TB, batch.lengths_B).detach().numpy()
    blend = fit_blend(present, Targets(truth), present, Targets(truth), logits, 2, 0.1, task)
    both = joined(network, blend)
    assert (both.architecture.ngram_buckets, both.architecture.ngram_order) == (256, 2)
    linear = present @ blend.table_FC + blend.bias_C
    wanted = blend.shares.logits(logits, linear)
    np.testing.assert_allclose(both(batch.ids_TB, batch.lengths_B).detach().numpy(), wanted, atol=1e-4, rtol=1e-4)
    assert mean_loss(wanted, truth, task) == pytest.approx(blend.shares.loss)
    assert blend.shares.loss < mean_loss(logits, truth, task)


def test_a_label_of_a_multi_label_set_that_every_text_has() -> None:
    rows = _rows(*range(4, 24))
    truth = np.array([[True, i % 2 == 0] for i in range(20)])
    present = count_ngrams(rows, 1, 128)
    blend = fit_blend(present, Targets(truth), present, Targets(truth), np.zeros((20, 2)), 1, 0.1, "multi_label")
    assert np.isfinite(blend.table_FC).all()
    assert blend.table_FC.shape == (128, 2)
    assert blend.bias_C[0] > 0


def test_n_grams_learn_the_probabilities_of_labels_and_the_weights_of_texts() -> None:
    rows = [np.array([token], dtype=np.int32) for token in (1, 2, 3) for _ in range(50)]
    present, truth = count_ngrams(rows, 1, 128), np.eye(2, dtype=bool)[[0] * 50 + [1] * 100]
    shares = np.repeat([[0.95, 0.05], [0.05, 0.95], [0.49, 0.51]], 50, axis=0)
    hard, _ = fit_table(present, Targets(truth), 1.0, "single_label")
    soft, _ = fit_table(present, Targets(truth, shares), 1.0, "single_label")
    buckets = [present[row].indices[0] for row in (0, 50, 100)]
    assert np.diff(hard[buckets[1:]], axis=1).ravel() == pytest.approx([hard[buckets[1], 1] * 2] * 2)
    clear, even = np.diff(soft[buckets[1:]], axis=1).ravel()
    assert clear > 0.5 > abs(even)
    weighed, _ = fit_table(present, Targets(truth, weights_N=np.repeat([1, 1, 1e-9], 50)), 1.0, "single_label")
    assert np.diff(weighed[buckets[2]]) == pytest.approx(0, abs=0.05)
    assert np.diff(weighed[buckets[1]]) > 0.5


def test_the_section_of_the_architecture_says_where_the_setting_is() -> None:
    with pytest.raises(UsageError, match=r"ngrams\.buckets"):
        build_config({"architecture": {"ngram_buckets": 8}})


def test_no_more_texts_are_drawn_than_tokens_admit() -> None:
    texts = ["abc"] * 100

    def encode(some: Sequence[str]) -> list[Ids]:
        return [np.arange(len(text), dtype=np.int32) for text in some]

    rows, places = draw_rows(encode, texts, seed=1, max_tokens=30)
    assert [len(row) for row in rows] == [3] * 10
    assert places.tolist() == sorted(set(places.tolist()))
    assert places.tolist() != list(range(10))
    assert draw_rows(encode, texts, seed=1)[1].tolist() == list(range(100))
    assert len(draw_rows(encode, ["abc"], seed=1, max_tokens=2)[0]) == 1
