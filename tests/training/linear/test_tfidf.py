import numpy as np
import pytest

from model.probabilities import probabilities
from training.linear.nbsvm import ALWAYS
from training.linear.targets import Targets
from training.linear.tfidf import fit_logistic, ngram_options, tfidf_vectorizer
from training.metrics.decisions import decide, one_hot

TEXTS = ["good film", "bad film", "good plot", "bad plot", "dull film :(", "dull plot :("]
TRUTH = one_hot(np.array([0, 1, 0, 1, 2, 2]), 3)


def test_chinese_is_read_by_characters_and_other_texts_by_words() -> None:
    assert ngram_options(["很好看的影片"])["analyzer"] == "char"
    assert ":(" in tfidf_vectorizer(TEXTS).fit(TEXTS).vocabulary_


@pytest.mark.parametrize("jointly", [False, True])
def test_the_regression_learns_what_it_saw(jointly: bool) -> None:
    features = tfidf_vectorizer(TEXTS).fit_transform(TEXTS)
    weights, bias = fit_logistic(features, Targets(TRUTH), 100.0, "single_label", jointly=jointly)
    assert (decide(features @ weights.T + bias, task="single_label") == TRUTH).all()


@pytest.mark.parametrize("jointly", [False, True])
def test_a_text_of_weight_2_is_two_texts(jointly: bool) -> None:
    features, twice = tfidf_vectorizer(TEXTS).fit_transform(TEXTS), np.repeat(np.arange(6), [2, 1, 1, 1, 2, 1])
    weighed = Targets(TRUTH, weights_N=np.array([2.0, 1, 1, 1, 2, 1]))
    found = fit_logistic(features, weighed, 10.0, "single_label", jointly=jointly)
    expected = fit_logistic(features[twice], Targets(TRUTH[twice]), 10.0, "single_label", jointly=jointly)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.01)
    alike, _ = fit_logistic(features, Targets(TRUTH), 10.0, "single_label", jointly=jointly)
    assert np.abs(found[0] - alike).max() > 0.1


@pytest.mark.parametrize("jointly", [False, True])
def test_probabilities_teach_how_sure_it_is(jointly: bool) -> None:
    texts, shares = ["film"] * 3, np.array([[0.7, 0.2, 0.1]] * 3)
    features = tfidf_vectorizer(texts).fit_transform(texts)
    targets = Targets(one_hot(np.zeros(3, dtype=np.int64), 3), shares)
    weights, bias = fit_logistic(features, targets, 1000.0, "single_label", jointly=jointly)
    found = probabilities(features @ weights.T + bias, task="single_label" if jointly else "multi_label")
    np.testing.assert_allclose(found, shares, atol=0.02)


def test_two_labels_are_one_score_and_a_label_of_no_text_is_never_given() -> None:
    features = tfidf_vectorizer(TEXTS).fit_transform(TEXTS)
    weights, bias = fit_logistic(features, Targets(TRUTH[:, :2]), 1.0, "single_label")
    np.testing.assert_allclose(weights[0], -weights[1])
    never = np.zeros((6, 1), dtype=bool)
    _, bias = fit_logistic(features, Targets(np.hstack([TRUTH, never, ~never])), 1.0, "multi_label")
    assert bias[3:].tolist() == [-ALWAYS, ALWAYS]
    assert probabilities(bias[None], task="multi_label")[0, 3] < 0.001


@pytest.mark.parametrize("jointly", [False, True])
def test_labels_of_one_text_each_are_learned_without_a_word(jointly: bool) -> None:
    texts = [f"word{i} {i}" for i in range(21)]
    features, truth = tfidf_vectorizer(texts).fit_transform(texts), np.eye(21, dtype=bool)
    weights, bias = fit_logistic(features, Targets(truth), 100.0, "single_label", jointly=jointly)
    assert (decide(features @ weights.T + bias, task="single_label") == truth).all()
