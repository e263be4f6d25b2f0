"""Turns probabilities into the entries of an answer."""

from collections.abc import Sequence

from app.api.schemas import FailedPrediction, Prediction, TextError
from app.core.classifier import Probabilities
from app.core.errors import describe
from model.explain.explanation import LabelScore
from model.text import Encoded

DECIMALS = 6
"""Digits of a score. Beyond the sixth, float32 itself and the other texts of a batch decide."""

Entry = Prediction | FailedPrediction


def prediction(labels: Sequence[str], row: Probabilities, encoded: Encoded, top_k: int | None) -> Prediction:
    """Returns the answer to one text: labels by falling probability, equal ones in the checkpoint's order."""
    scored = sorted(zip(row.tolist(), labels, strict=True), key=_score, reverse=True)
    scores = [LabelScore(label, round(score, DECIMALS)) for score, label in scored[:top_k]]
    return Prediction(scores[0].label, scores[0].score, scores, encoded.num_tokens, encoded.truncated)


def failed(error: Exception) -> FailedPrediction:
    """Returns the entry of a text that failed alone."""
    row, detail = describe(error)
    return FailedPrediction(TextError(row.code, detail))


def _score(pair: tuple[float, str]) -> float:
    return pair[0]
