"""Linear baselines over n-grams: TF-IDF with logistic regression, and NB-SVM.

Both count words and pairs of words or, where the text is mostly Chinese, one to three characters. Everything is chosen
on the texts that also stop the networks.

Shape suffixes: N texts, F n-grams, C labels (one column for two labels: the second against the first).
"""

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from training.data.dataset import encode_labels, mostly_chinese, truth_of
from training.experiments.contender import Contender, FitContext, Floats
from training.linear.nbsvm import ALWAYS, as_two, each_column, fit_svm
from training.metrics.decisions import Decisions
from training.metrics.scores import measure

WORD = r"(?u)\w+(?:'\w+)?|[^\w\s]+"
"""Words, numbers and runs of punctuation: ":)" and "!!!" tell something, and scikit-learn's own pattern drops them."""

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
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **_ngrams(context.corpus.train.texts))
    counts_NF = vectorizer.fit_transform(context.corpus.train.texts)

    def models() -> Iterator[LinearModel]:
        for strength in LOGISTIC_STRENGTHS:
            weights_CF, bias_C = _fit_logistic(counts_NF, context, strength, against_rest)
            yield LinearModel(vectorizer, weights_CF, bias_C, f"C={strength:g}")

    return _choose(models(), context)


def fit_nbsvm(context: FitContext, _seed: int) -> LinearModel:
    """Fits a linear SVM to n-grams that are there or not, each weighted by its naive Bayes log-count ratio.

    C and the interpolation of its weights with their mean magnitude are chosen on validation. More than two labels are
    one SVM each, against the rest.

    Source: Wang & Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification".
    """
    vectorizer = CountVectorizer(binary=True, dtype=np.float32, **_ngrams(context.corpus.train.texts))
    counts_NF = vectorizer.fit_transform(context.corpus.train.texts)
    truth_NC = truth_of(context.corpus.train, context.corpus.labels)

    def models() -> Iterator[LinearModel]:
        for strength in SVM_STRENGTHS:
            columns = each_column(truth_NC, context.corpus.task, partial(fit_svm, counts_NF, strength))
            for share in INTERPOLATIONS:
                weights_CF = np.stack([ratios_F * interpolate(w_F, share) for ratios_F, w_F, _ in columns])
                bias_C = np.array([b for _, _, b in columns])
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


def _ngrams(texts: Sequence[str]) -> dict[str, Any]:
    if mostly_chinese(texts):
        return {"analyzer": "char", "ngram_range": (1, 3)}
    return {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": WORD}


def _choose(models: Iterator[LinearModel], context: FitContext) -> LinearModel:
    """Picks the best model by the metric on the stopping texts, of as many as the budget allows."""
    corpus, began = context.corpus, time.monotonic()
    score = measure(context.request.config.metric, corpus.task)
    targets = encode_labels(corpus.stopping, corpus.labels)
    best: tuple[float, LinearModel] | None = None
    counts_NF = None
    for model in models:
        counts_NF = model.vectorizer.transform(corpus.stopping.texts) if counts_NF is None else counts_NF
        value = score(model.of_counts(counts_NF).astype(np.float32), targets)
        if best is None or value > best[0]:
            best = value, model
        if context.budget_s is not None and time.monotonic() - began > context.budget_s:
            break
    if best is None:
        raise AssertionError("there is at least one model")
    return best[1]


def _fit_logistic(counts_NF: Any, context: FitContext, strength: float, against_rest: bool) -> tuple[Floats, Floats]:
    corpus = context.corpus
    targets = encode_labels(corpus.train, corpus.labels)

    def solve(y_N: Any, solver: str) -> tuple[Floats, Floats]:
        model = LogisticRegression(C=strength, solver=solver, max_iter=1000, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # validation judges it like any other
            model.fit(counts_NF, y_N)
        return np.asarray(model.coef_), np.asarray(model.intercept_)

    if corpus.task == "single_label" and len(corpus.labels) > 2 and not against_rest:
        return solve(targets, "lbfgs")

    def one(y_N: Decisions) -> tuple[Floats, float]:
        if y_N.all():
            return np.zeros(counts_NF.shape[1]), ALWAYS
        weights_1F, bias_1 = solve(y_N, "liblinear")
        return weights_1F[0], float(bias_1[0])

    columns = each_column(truth_of(corpus.train, corpus.labels), context.corpus.task, one)
    return as_two(np.stack([w_F for w_F, _ in columns]), np.array([b for _, b in columns]), context.corpus.task)
