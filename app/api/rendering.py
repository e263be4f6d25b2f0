"""Turns probabilities into the entries of an answer."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np

from app.api.schemas import FailedPrediction, Prediction, TextError
from app.api.selection import Selection
from app.core.classifier import Probabilities
from app.core.errors import describe
from app.core.job import Answer
from model.explain.explanation import LabelScore
from model.text import Encoded

_score_of = itemgetter(0)


def rounded(score: float) -> float:
    """Returns a score with six digits: beyond the sixth, float32 itself and the other texts of a batch decide.

    As `round(score, 6)` of a float32, since this product is exact, in a third of the time.

    >>> rounded(0.0078125), rounded(1 / 3)
    (0.007812, 0.333333)
    """
    return round(score * 1e6) / 1e6


def prediction(labels: Sequence[str], answer: Answer, selection: Selection) -> Prediction:
    """Returns the answer to one text: labels by falling score, equal ones in the checkpoint's order."""
    scored = sorted(selection.scored(answer.probabilities.tolist(), labels), key=_score_of, reverse=True)
    scores = [LabelScore(label, rounded(score)) for score, label in scored[: selection.top_k]]
    label = scores[0].label if scored[0][0] >= selection.threshold else None
    return Prediction(label, scores[0].score, scores, answer.encoded.num_tokens, answer.encoded.truncated)


def predictions(
    labels: Sequence[str], encoded: Iterable[Encoded], rows_NC: Probabilities, selection: Selection
) -> list[Prediction]:
    """Returns the answers to many texts, each as `prediction` has it, in a fifth of the time a text.

    Args:
        labels: C names.
        encoded: N texts.
        rows_NC: their probabilities, float32.
        selection: one without `places`.
    """
    order_NC = (-rows_NC).argsort(axis=1, kind="stable")[:, : selection.top_k]
    scores_NC = np.take_along_axis(rows_NC, order_NC, axis=1).astype(np.float64)
    given_N = (scores_NC[:, 0] >= selection.threshold).tolist()
    scores = (np.rint(scores_NC * 1e6) / 1e6).ravel().tolist()  # as `rounded`
    names = list(map(labels.__getitem__, order_NC.ravel().tolist()))
    width = order_NC.shape[1]
    listed = map(list, zip(*[map(LabelScore, names, scores)] * width, strict=True))
    best = [name if given else None for name, given in zip(names[::width], given_N, strict=True)]
    texts = [(len(ids), truncated) for ids, truncated in encoded]
    return list(map(Prediction, best, scores[::width], listed, *zip(*texts, strict=True)))


def failed(error: Exception) -> FailedPrediction:
    """Returns the entry of a text that failed alone."""
    row, detail = describe(error)
    return FailedPrediction(TextError(row.code, detail))
