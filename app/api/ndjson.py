"""The lines of `POST /predict/stream`: cut from bytes, read one by one, and answered one by one."""

import codecs
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import msgspec

from app.api.rendering import failed, prediction
from app.api.schemas import AtLeastOne, TextError
from app.api.selection import Labels, MinPrecision, Selection, Wanted, select
from app.core.classifier import Embedder
from app.core.errors import AppError, BodyTooLarge
from app.core.job import Outcome
from app.http.example_call import with_example
from app.http.json import Parser
from model.explain.explanation import LabelScore

NDJSON = "application/x-ndjson"

MAX_LINE_BYTES = 1 << 20
"""Longest line, far beyond what a model reads. A few groups with one such line each are all that a stream holds."""


class StreamLine(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the request."""

    inputs: Annotated[str, msgspec.Meta(description="One text.")]
    top_k: Annotated[
        AtLeastOne | None, msgspec.Meta(description="Only so many of the best labels; what the query says if absent.")
    ] = None
    labels: Labels = None
    min_precision: MinPrecision = None


class Asked(NamedTuple):
    """A text that a line asks about, and the part of its scores that the answer shows."""

    text: str
    selection: Selection


class LinePrediction(msgspec.Struct, frozen=True):
    """The answer to one line: an entry of `POST /predict` with the line's number."""

    line: Annotated[int, msgspec.Meta(ge=1, description="Number of the line in the request, from 1.")]
    label: Annotated[str | None, msgspec.Meta(description="Null if it does not reach `min_precision`.")]
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]
    scores: list[LabelScore]
    tokens: Annotated[int, msgspec.Meta(ge=0)]
    truncated: bool


class LineFailure(msgspec.Struct, frozen=True):
    """The answer to a line that failed by itself."""

    line: Annotated[int, msgspec.Meta(ge=1, description="Number of the line in the request, from 1.")]
    error: TextError


_parse = Parser(StreamLine, {"inputs": "A good film."}).parse


class LineCutter:
    r"""Cuts chunks of bytes into lines and holds no more than one unfinished line.

    Args:
        max_bytes: of a line without its end. Of a longer one nothing is kept; None stands for it.

    >>> cutter = LineCutter(max_bytes=3)
    >>> list(cutter.feed(b"one\n\ntwo o")), list(cutter.feed(b"r more\r\nab", last=True))
    ([b'one', b''], [None, b'ab'])
    """

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._num_bytes = 0

    def feed(self, chunk: bytes, *, last: bool = False) -> Iterator[bytes | None]:
        """Yields the lines that end in `chunk`, the last one of which need not end. Use all before the next call."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._hold(chunk[start:end])
            yield self._take()
            start = end + 1
        self._hold(chunk[start:])
        if last:
            yield self._take()

    def _hold(self, part: bytes) -> None:
        self._num_bytes += len(part)
        if self._num_bytes > self._max_bytes:
            self._held.clear()
        else:
            self._held += part

    def _take(self) -> bytes | None:
        line = None if self._num_bytes > self._max_bytes else bytes(self._held)
        self._held.clear()
        self._num_bytes = 0
        return line


def is_blank(line: bytes | None) -> bool:
    """Returns whether a line is to be skipped: it is empty, or has the byte order mark of a file alone."""
    return line is not None and line.strip() in (b"", codecs.BOM_UTF8)


def read_line(line: bytes | None, classifier: Embedder, default: Wanted) -> Asked | AppError:
    """Reads a line that the cutter gave, or returns the error that answers it.

    Args:
        line: one that the cutter gave.
        classifier: that answers it.
        default: holds where the line says nothing else.
    """
    if line is None:
        return BodyTooLarge(f"The line is longer than {MAX_LINE_BYTES} bytes.")
    try:
        read = _parse(line)
        wanted = Wanted(
            read.top_k or default.top_k,
            default.labels if read.labels is None else read.labels,
            read.min_precision or default.min_precision,
        )
        return Asked(read.inputs, select(classifier, wanted))
    except AppError as error:
        return with_example(error)


def answer_line(
    number: int, outcome: Outcome, labels: Sequence[str], selection: Selection
) -> LinePrediction | LineFailure:
    """Returns the answer to the line of that number."""
    if isinstance(outcome, AppError):
        return LineFailure(number, failed(outcome).error)
    p = prediction(labels, outcome, selection)
    return LinePrediction(number, p.label, p.score, p.scores, p.tokens, p.truncated)
