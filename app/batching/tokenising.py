"""Tokenises texts of several jobs together, and leaves out those that cannot be read."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from app.batching.admission import Permit
from app.batching.bisect import by_halves
from app.core.classifier import Scorer
from app.core.job import Job, Piece
from model.text import Encoded


class Part(NamedTuple):
    """Texts of a job that are tokenised together.

    Attributes:
        estimate: of their tokens.
    """

    job: Job
    indexes: Sequence[int]
    permit: Permit
    estimate: int


Fail = Callable[[Job, int, Exception], None]
"""Is told of a text that cannot be read: its job, its index there, and why."""


def tokenise(scorer: Scorer, parts: Sequence[Part], fail: Fail) -> list[Piece]:
    """Tokenises the texts that somebody waits for; any thread may call it."""
    parts = [part for part in parts if part.job.alive]
    started = time.monotonic()
    texts: list[str] = []
    for job, indexes, *_ in parts:
        if job.started_at == job.admitted_at:
            job.started_at = started
        texts += job.take(indexes)
    runs = by_halves(partial(_encode, scorer), texts, len)
    results: list[Encoded | Exception] = []
    for _, found in runs:
        results += [found] if isinstance(found, Exception) else found
    encoded_at = time.monotonic()
    pieces: list[Piece] = []
    begin = 0
    for part in parts:
        end = begin + len(part.indexes)
        piece = _piece(part, results[begin:end], fail, all_read=len(runs) == 1)
        begin, part.job.encoded_at = end, encoded_at
        part.permit.replace_tokens(part.estimate, piece.num_tokens)
        if piece.indexes:
            pieces.append(piece)
    return pieces


def _piece(part: Part, results: list[Encoded | Exception], fail: Fail, *, all_read: bool) -> Piece:
    """The texts of a part that were read; the others get their error."""
    job, indexes, *_ = part
    encoded: list[Encoded] = results  # type: ignore[assignment]  # where all were read
    if not all_read or isinstance(results[0], Exception):
        for index, found in zip(indexes, results, strict=True):
            if isinstance(found, Exception):
                fail(job, index, found)
        read = [(index, found) for index, found in zip(indexes, results, strict=True) if isinstance(found, Encoded)]
        indexes, encoded = [index for index, _ in read], [found for _, found in read]
    if job.max_tokens is not None:
        encoded = [_first_tokens(of_text, job.max_tokens) for of_text in encoded]
    job.note_tokens(indexes, encoded)
    return Piece.of(job, indexes, encoded)


def _encode(scorer: Scorer, texts: Sequence[str]) -> list[Encoded]:
    try:
        return scorer.encode(texts)
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as panic:  # one of Rust's, which means no more than that these texts cannot be read
        raise RuntimeError("the tokeniser panicked") from panic


def _first_tokens(encoded: Encoded, max_tokens: int | None) -> Encoded:
    if max_tokens is None or encoded.num_tokens <= max_tokens:
        return encoded
    return Encoded(encoded.ids[:max_tokens], truncated=True)
