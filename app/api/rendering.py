"""Turns probabilities into the entries of an answer."""

from collections.abc import Sequence
from operator import itemgetter

from app.api.schemas import FailedPrediction, Prediction, TextError
from app.api.selection import Selection
from app.core.errors import describe
from app.core.job import Answer
from model.explain.explanation import LabelScore

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


def failed(error: Exception) -> FailedPrediction:
    """Returns the entry of a text that failed alone."""
    row, detail = describe(error)
    return FailedPrediction(TextError(row.code, detail))
