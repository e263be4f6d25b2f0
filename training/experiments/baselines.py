"""Linear baselines over n-grams: TF-IDF with logistic regression, and NB-SVM.

Both count words and pairs of words or, where the text is mostly Chinese, one to three characters. Everything is chosen
on the texts that also stop the networks.

Shape suffixes: N texts, F n-grams, C labels (one column for two labels: the second against the first).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from training.data.choices import allowed_labels, among
from training.data.dataset import encode_labels
from training.experiments.contender import Contender, FitContext, Floats
from training.linear.nbsvm import as_two, fit_svm
from training.linear.targets import Targets
from training.linear.tfidf import fit_logistic, ngram_options, tfidf_vectorizer
from training.metrics.scores import measure

LOGISTIC_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SVM_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)

INTERPOLATIONS = (0.25, 0.5, 1.0)
"""Source: Wang & Manning 2012, section 4.4: 0.25 is good throughout; 1 leaves the weights as they are."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear classifier over n-grams; implements `training.experiments.contender.Fitted`."""

    vectorizer: Any
    weights_CF: Floats
    bias_C: Floats
    choice: str

    @property
    def size_bytes(self) -> int:
        """Bytes of the n-grams as text and of float32 numbers."""
        words = sum(len(word.encode()) + 1 for word in self.vectorizer.get_feature_names_out())
        numbers = self.weights_CF.size + self.bias_C.size + getattr(self.vectorizer, "idf_", np.empty(0)).size
        return words + 4 * int(numbers)

    def logits(self, texts: Sequence[str]) -> Floats:
        """Uncalibrated logits [N, labels] of texts."""
        return self.of_counts(self.vectorizer.transform(texts))

    def of_counts(self, counts_NF: csr_matrix) -> Floats:
        """Uncalibrated logits [N, labels] of n-gram counts."""
        scores_NC: Floats = counts_NF @ self.weights_CF.T + self.bias_C
        return scores_NC


def fit_tfidf(context: FitContext, _seed: int, *, against_rest: bool = False) -> LinearModel:
    """Fits logistic regression to TF-IDF with logarithmic counts; C is chosen on validation.

    With `against_rest` more than two labels are one regression each, against the rest, instead of one over all: in a
    tenth of the time, and with three labels within a point of macro-F1, above or below.
    """
    vectorizer = tfidf_vectorizer(context.corpus.train.texts)
    corpus = context.corpus
    counts_NF, targets = vectorizer.fit_transform(corpus.train.texts), Targets.of(corpus.train, corpus.labels)
    jointly = not against_rest and corpus.task == "single_label" and len(corpus.labels) > 2

    def models() -> Iterator[LinearModel]:
        for strength in LOGISTIC_STRENGTHS:
            weights_CF, bias_C = fit_logistic(counts_NF, targets, strength, corpus.task, jointly=jointly)
            yield LinearModel(vectorizer, weights_CF, bias_C, f"C={strength:g}")

    return _choose(models(), context)


def fit_nbsvm(context: FitContext, _seed: int) -> LinearModel:
    """Fits a linear SVM to n-grams that are there or not, each weighted by its naive Bayes log-count ratio.

    C and the interpolation of its weights with their mean magnitude are chosen on validation. More than two labels are
    one SVM each, against the rest.

    Source: Wang & Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification".
    """
    vectorizer = CountVectorizer(binary=True, dtype=np.float32, **ngram_options(context.corpus.train.texts))
    counts_NF = vectorizer.fit_transform(context.corpus.train.texts)
    targets = Targets.of(context.corpus.train, context.corpus.labels)

    def models() -> Iterator[LinearModel]:
        for strength in SVM_STRENGTHS:
            columns = [
                fit_svm(rows.of(counts_NF), strength, rows.labels_R, weights_N=rows.weights_R)
                for rows in targets.columns(context.corpus.task)
            ]
            for share in INTERPOLATIONS:
                weights_CF: Floats = np.stack([ratios_F * interpolate(w_F, share) for ratios_F, w_F, _ in columns])
                bias_C: Floats = np.array([b for _, _, b in columns])
                weights_CF, bias_C = as_two(weights_CF, bias_C, context.corpus.task)
                yield LinearModel(vectorizer, weights_CF, bias_C, f"C={strength:g}, β={share:g}")

    return _choose(models(), context)


def interpolate(weights_F: Floats, share: float) -> Floats:
    """Mixes the weights with their mean magnitude; `share` is that of the weights, 0 to 1.

    Source: Wang & Manning 2012, eq. 5.

    >>> interpolate(np.array([1.0, -3.0]), 0.5).tolist()
    [1.5, -0.5]
    """
    return np.asarray((1 - share) * np.abs(weights_F).mean() + share * weights_F)


TFIDF = Contender("tfidf", "TF-IDF, logistic regression", fit_tfidf, seeded=False)
NBSVM = Contender("nbsvm", "NB-SVM", fit_nbsvm, seeded=False)


def _choose(models: Iterator[LinearModel], context: FitContext) -> LinearModel:
    """Picks the best model by the metric on the stopping texts, of as many as the budget allows."""
    corpus, began = context.corpus, time.monotonic()
    score = measure(context.request.config.metric, corpus.task)
    targets, allowed_NC = encode_labels(corpus.stopping, corpus.labels), allowed_labels(corpus.stopping, corpus.labels)
    best: tuple[float, LinearModel] | None = None
    counts_NF = None
    for model in models:
        counts_NF = model.vectorizer.transform(corpus.stopping.texts) if counts_NF is None else counts_NF
        value = score(among(model.of_counts(counts_NF).astype(np.float32), allowed_NC), targets)
        if best is None or value > best[0]:
            best = value, model
        if context.budget_s is not None and time.monotonic() - began > context.budget_s:
            break
    if best is None:
        raise AssertionError("there is at least one model")
    return best[1]
