import numpy as np
import pytest

from model.probabilities import probabilities
from training.linear.nbsvm import ALWAYS
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
    weights, bias = fit_logistic(features, TRUTH, 100.0, "single_label", jointly=jointly)
    assert (decide(features @ weights.T + bias, task="single_label") == TRUTH).all()


def test_two_labels_are_one_score_and_a_label_of_no_text_is_never_given() -> None:
    features = tfidf_vectorizer(TEXTS).fit_transform(TEXTS)
    weights, bias = fit_logistic(features, TRUTH[:, :2], 1.0, "single_label")
    np.testing.assert_allclose(weights[0], -weights[1])
    never = np.zeros((6, 1), dtype=bool)
    _, bias = fit_logistic(features, np.hstack([TRUTH, never, ~never]), 1.0, "multi_label")
    assert bias[3:].tolist() == [-ALWAYS, ALWAYS]
    assert probabilities(bias[None], task="multi_label")[0, 3] < 0.001
