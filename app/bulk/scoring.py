"""From a window of rows to the same rows with labels: what each thread, and each worker of a cluster, does."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.bulk.windows import Window
from model.text import Encoded
from tables.batch import Batch
from tables.labels import text_of
from tables.reading import BadRow

Probabilities = npt.NDArray[np.float32]


class Classifier(Protocol):
    """The part of `model.classifier.Classifier` that scores files."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the checkpoint's digest."""

    @property
    def dtype(self) -> str:
        """Number format of the computation."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""

    @property
    def task(self) -> str:
        """Kind of task: `single_label` or `multi_label`."""

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Probability from which a multi-label model gives each label; None is 1/2 for all."""

    @property
    def concurrent(self) -> bool:
        """True if several threads may compute at a time."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Tokens of each text."""

    def score_all(self, encoded: Sequence[Encoded]) -> Probabilities:
        """Probabilities of shape (texts, labels)."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read and to write.

    Attributes:
        texts: names of those that hold the text; several are joined by a line break.
        keep: names of those that are written along; None is all.
        prefix: of the names of those that are added.
        scores: True if the probability of each label is added too.
    """

    texts: tuple[str, ...]
    keep: tuple[str, ...] | None = None
    prefix: str = ""
    scores: bool = False

    @property
    def read(self) -> list[str] | None:
        """Names of the columns to read; None is all."""
        return None if self.keep is None else list(dict.fromkeys([*self.keep, *self.texts]))


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of rows, tokens and labels.

    Attributes:
        rows: with a label.
        bad: that could not be read, or have no text.
        tokens: of all texts, as far as they were read.
        cut: texts that are longer than the model reads.
        labels: rows with each label.
    """

    rows: int = 0
    bad: int = 0
    tokens: int = 0
    cut: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        labels = {
            name: self.labels.get(name, 0) + other.labels.get(name, 0) for name in {**self.labels, **other.labels}
        }
        return Counts(
            self.rows + other.rows, self.bad + other.bad, self.tokens + other.tokens, self.cut + other.cut, labels
        )


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows of a window with their labels, and those that have none; `rows` is None where no row was read."""

    path: Path
    rows: pa.RecordBatch | None
    bad: Sequence[BadRow]
    counts: Counts


class Scorer:
    """Adds labels to rows. Safe to call from several threads, which take turns where the classifier must.

    Args:
        classifier: gives the labels.
        columns: to read and to write.
    """

    def __init__(self, classifier: Classifier, columns: Columns) -> None:
        self._classifier, self._columns = classifier, columns
        self._names = pa.array(classifier.labels, pa.string())
        self._turn = nullcontext() if classifier.concurrent else Lock()

    def score(self, window: Window) -> Scored:
        """Scores the rows that have a text, and sets the others aside."""
        if window.batch is None:
            return Scored(window.path, None, window.bad, Counts(bad=len(window.bad)))
        texts, without = _texts(window.batch, self._columns.texts)
        bad = [*window.bad, *_bad_rows(window.batch, window.path, without)]
        records = window.batch.records
        if len(texts) < len(records):
            records = records.take(pa.array(sorted(texts), pa.int64()))
        answers, counts = self.answers(list(texts.values()))
        kept = records.schema.names if self._columns.keep is None else self._columns.keep
        columns = {name: records.column(name) for name in kept} | answers
        rows = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        return Scored(window.path, rows, bad, counts + Counts(bad=len(bad)))

    def answers(self, texts: Sequence[str]) -> tuple[dict[str, pa.Array], Counts]:
        """The columns that are added for texts, and what they add to the counts.

        `label` is the most probable one and `score` its probability. `labels`, of a multi-label model, are all that
        reach their thresholds. `scores` has a field for each label.
        """
        classifier, prefix = self._classifier, self._columns.prefix
        encoded = classifier.encode(texts)
        with self._turn:
            scores_NC = classifier.score_all(encoded)
        best_N = scores_NC.argmax(axis=1) if len(texts) else np.zeros(0, dtype=np.int64)
        columns = {
            "label": self._names.take(pa.array(best_N)),
            "score": pa.array(np.take_along_axis(scores_NC, best_N[:, None], axis=1)[:, 0]),
        }
        if classifier.task == "multi_label":
            columns["labels"] = self._given(scores_NC)
        if self._columns.scores:
            fields = [pa.array(np.ascontiguousarray(scores_N)) for scores_N in scores_NC.T]
            columns["scores"] = pa.StructArray.from_arrays(fields, names=list(classifier.labels))
        counted = np.bincount(best_N, minlength=len(classifier.labels)).tolist()
        counts = Counts(
            rows=len(texts),
            tokens=sum(text.num_tokens for text in encoded),
            cut=sum(text.truncated for text in encoded),
            labels=dict(zip(classifier.labels, counted, strict=True)),
        )
        return {prefix + name: array for name, array in columns.items()}, counts

    def schema(self) -> pa.Schema:
        """Names and types of the columns that are added."""
        return pa.schema([(name, array.type) for name, array in self.answers([])[0].items()])

    def _given(self, scores_NC: Probabilities) -> pa.Array:
        """The labels of each text that reach their thresholds."""
        thresholds = self._classifier.thresholds or (0.5,) * len(self._names)
        given_NC = scores_NC >= np.array(thresholds, dtype=np.float32)
        ends = given_NC.sum(axis=1).cumsum()
        return pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], ends]), pa.int32()), self._names.take(pa.array(given_NC.nonzero()[1]))
        )


def _texts(batch: Batch, names: Sequence[str]) -> tuple[dict[int, str], dict[int, str]]:
    """By its place in the batch, the text of each row that has one, and the reason why another has none."""
    columns = [batch.values(name) for name in names]
    texts: dict[int, str] = {}
    without: dict[int, str] = {}
    for place, values in enumerate(zip(*columns, strict=True)):
        try:
            parts = [text for value in values if (text := text_of(value)) is not None]
        except TypeError as error:
            without[place] = str(error)
            continue
        if parts:
            texts[place] = parts[0] if len(parts) == 1 else "\n".join(parts)
        else:
            without[place] = "has no text"
    return texts, without


def _bad_rows(batch: Batch, path: Path, causes: Mapping[int, str]) -> list[BadRow]:
    if not causes:
        return []
    rows = batch.rows
    values = {name: batch.values(name) for name in batch.records.schema.names}
    return [
        BadRow(path, rows[place], cause, {name: found[place] for name, found in values.items()})
        for place, cause in causes.items()
    ]
