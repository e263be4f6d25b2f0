"""Turns probabilities into the entries of an answer."""

from collections.abc import Sequence
from operator import itemgetter

from app.api.schemas import FailedPrediction, Prediction, TextError
from app.api.selection import Selection
from app.core.errors import describe
from app.core.job import Answer
from model.explain.explanation import LabelScore

DECIMALS = 6
"""Digits of a score. Beyond the sixth, float32 itself and the other texts of a batch decide."""


def prediction(labels: Sequence[str], answer: Answer, selection: Selection) -> Prediction:
    """Returns the answer to one text: labels by falling score, equal ones in the checkpoint's order."""
    scored = sorted(selection.scored(answer.probabilities.tolist(), labels), key=itemgetter(0), reverse=True)
    scores = [LabelScore(label, round(score, DECIMALS)) for score, label in scored[: selection.top_k]]
    label = scores[0].label if scored[0][0] >= selection.threshold else None
    return Prediction(label, scores[0].score, scores, answer.encoded.num_tokens, answer.encoded.truncated)


def failed(error: Exception) -> FailedPrediction:
    """Returns the entry of a text that failed alone."""
    row, detail = describe(error)
    return FailedPrediction(TextError(row.code, detail))
