"""Scores of a batch, in which a text that fails alone does not take others along."""

import time
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TypeAlias

import numpy as np

from app.batching.bisect import by_halves
from app.core.classifier import Scorer
from app.core.job import Piece, Scores
from model.text import Encoded

Runs: TypeAlias = list[tuple[int, Scores | Exception]]
"""Of the texts of a batch, one after another: how many they are, and their scores or the exception of one text."""

_num_scored = attrgetter("num_texts")


def score(scorer: Scorer, batch: Sequence[Piece]) -> Runs:
    """Computes the scores of all texts of a batch."""

    def of_texts(texts: Sequence[Encoded]) -> Scores:
        logits = scorer.logits(texts)
        if not np.isfinite(logits).all():
            raise ArithmeticError("a logit is not a number")
        return Scores(scorer.probabilities(logits), logits)

    texts = batch[0].encoded if len(batch) == 1 else [text for piece in batch for text in piece.encoded]
    return by_halves(of_texts, texts, _num_scored)


def by_piece(batch: Sequence[Piece], runs: Runs) -> Iterator[tuple[Piece, Scores | Exception]]:
    """Pairs each piece with its scores; where a text failed, each text by itself."""
    if len(runs) == 1 and not isinstance(scores := runs[0][1], Exception):
        begin = 0
        for piece in batch:
            end = begin + len(piece)
            yield piece, scores.part(begin, end)
            begin = end
        return
    texts = (piece.only([place]) for piece in batch for place in range(len(piece)))
    for num_texts, found in runs:
        for place in range(num_texts):
            yield next(texts), found if isinstance(found, Exception) else found.part(place, place + 1)


def tokens_of(pieces: Sequence[Piece]) -> int:
    """Tokens that the device computes for these texts."""
    return sum([piece.num_tokens for piece in pieces])


def stamp(batch: Sequence[Piece]) -> float:
    """Notes that the device takes these texts now, and returns the time."""
    now = time.monotonic()
    for piece in batch:
        piece.job.taken_at = now
    return now
