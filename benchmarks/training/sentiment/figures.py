"""Measurement of a sentiment checkpoint on public sets, on the checklist, and beside a linear model.

Shape suffixes: N texts, C labels.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.training.sentiment.baseline import Baseline
from benchmarks.training.sentiment.sets import THREE_LABELS, TWEETS, TWO_LABELS, read_set
from model.classifier import Classifier
from model.config import Frozen
from training.data.dataset import Dataset
from training.data.sentiment_sets import SENTIMENT
from training.evaluation.checklist.check import Capability, all_cases, askable, check_labels, judge, summarise
from training.evaluation.evaluate import evaluate
from training.metrics.intervals import Interval
from training.metrics.scores import Scores, score
from training.provenance import file_digest

NEUTRAL = "neutral"
POLAR = ("negative", "positive")


class Reading(Frozen):
    """Scores of one set in two or in three labels, as shares; see `training.metrics.scores.Scores`."""

    rows: int
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    ece: float
    ece_by_chance: float | None

    @classmethod
    def of(cls, scores: Scores) -> "Reading":
        """The fields that the tables show."""
        return cls(**{name: getattr(scores, name) for name in cls.model_fields})


class SetFigures(Frozen):
    """Figures of one set.

    Attributes:
        sha256: of the file.
        taught: true if the checkpoint has learned from the set's training split; None if nobody said.
        two: positive against negative among those two, texts that are neutral left out.
        three: all texts among three labels; None if the checkpoint has no neutral. On a set without neutral texts
            each neutral answer is wrong.
        neutral: share of all texts that are called neutral; None if the checkpoint has no neutral.
        baseline: the linear model that learned from this set's training split alone, on the texts of `three`.
    """

    sha256: str
    taught: bool | None
    two: Reading
    three: Reading | None
    neutral: float | None
    baseline: Baseline | None = None


class SentimentFigures(Frozen):
    """All figures of one checkpoint on one split.

    Attributes:
        name, version: of the checkpoint.
        sets: by name, in the order of the tables.
        absent: sets without a file of this split.
        capabilities: of the checklist.
        seconds: of the whole measurement.
        created, machine, code, libraries: when and by what it was measured.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    split: str
    sets: dict[str, SetFigures]
    absent: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    seconds: float
    command: str
    created: str
    machine: str
    code: dict[str, str | None]
    libraries: dict[str, str]


def measure_sets(
    classifier: Classifier,
    data: Path,
    split: str,
    *,
    taught: frozenset[str],
    baseline: Callable[[str], Baseline] | None,
    watch: Callable[[str], None],
) -> tuple[dict[str, SetFigures], tuple[str, ...]]:
    """Figures of every set below `data`, each text scored once; and the names of the sets that lack the split.

    Args:
        taught: names of sets that the checkpoint learned from; empty if nobody said.
        baseline: fits and scores the linear model of a set; None leaves it out.
        watch: told each line of progress.

    Raises:
        UsageError: the checkpoint has other labels than negative and positive, with or without neutral.
        TableError: a file cannot be read.
    """
    check_labels(classifier.labels)
    found, absent = {}, []
    for name in dict.fromkeys((*TWO_LABELS, *THREE_LABELS, *TWEETS)):
        if not (path := data / name / f"{split}.parquet").is_file():
            absent.append(name)
            continue
        began = time.perf_counter()
        two, three, neutral = read_both(classifier, read_set(data, name, split))
        found[name] = SetFigures(
            sha256=file_digest(path),
            taught=was_taught(name, taught),
            two=two,
            three=three,
            neutral=neutral,
            baseline=baseline(name) if baseline is not None and name in THREE_LABELS else None,
        )
        watch(f"{name}: {two.rows:,} texts with a judgement, {time.perf_counter() - began:.1f} s")
    return found, tuple(absent)


def was_taught(name: str, taught: frozenset[str]) -> bool | None:
    """True if the set is among `taught`; without these, false for what may teach nothing, and None for others."""
    if taught or not SENTIMENT.sets[name].teaches:
        return name in taught
    return None


def read_both(classifier: Classifier, dataset: Dataset) -> tuple[Reading, Reading | None, float | None]:
    """Readings in two and in three labels from one pass, and the share of texts called neutral.

    The first has the probabilities of negative and positive divided by their sum, as `evaluate --own-labels` has them.
    """
    labels = classifier.labels
    if NEUTRAL not in labels:
        polar = dataset.take([i for i, names in enumerate(dataset.labels) if names != (NEUTRAL,)])
        return Reading.of(evaluate(classifier, polar).evaluation.scores), None, None
    result = evaluate(classifier, dataset)
    places, neutral = [labels.index(name) for name in POLAR], labels.index(NEUTRAL)
    judged_N = ~result.truth_NC[:, neutral]
    p_NC = result.probabilities_NC[judged_N][:, places].astype(np.float64)
    p_NC /= np.maximum(p_NC.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    two = score(p_NC, result.truth_NC[judged_N][:, places], POLAR, task="single_label")
    called = float((result.probabilities_NC.argmax(axis=1) == neutral).mean())
    return Reading.of(two), Reading.of(result.evaluation.scores), called


def measure_checklist(classifier: Classifier) -> tuple[Capability, ...]:
    """Failures of the checkpoint by capability."""
    cases = askable(all_cases("both"), classifier.labels)

    def predict(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        rows: Sequence[Sequence[float]] = classifier.predict(texts).tolist()
        return rows

    return tuple(summarise(judge(cases, predict, classifier.labels), num_worst=0))
