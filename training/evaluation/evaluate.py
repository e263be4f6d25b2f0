"""Evaluation of a checkpoint on labelled texts: scores, and the worst mistakes.

Shape suffixes: N texts, C labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from model.batch import lengths_of, map_batches
from model.classifier import Classifier
from model.config import Frozen
from model.probabilities import probabilities
from model.text import Encoded
from tables.errors import Row
from tables.labels import LabelRules
from training.data.choices import allowed_labels, among
from training.data.dataset import Dataset, read_dataset, refuse_unknown, truth_of, without_unknown
from training.errors import DataError
from training.metrics.abstention import Kept, kept_by
from training.metrics.decisions import Decisions, Floats, decide
from training.metrics.scores import Scores, Uncalibrated, losses, score, score_uncalibrated

BATCH_TOKENS = 8192
"""Padded tokens scored at once."""


class Evaluation(Frozen):
    """Figures of one file, in `metrics.json` and as `evaluate` prints them.

    Attributes:
        scores: all figures.
        uncalibrated: some of them without the temperature and the thresholds.
        truncated: texts that were cut to the checkpoint's `max_tokens`.
        tokens: read in all, after the cut.
        kept: answers among all labels that reach the checkpoint's thresholds of precision, if it has any.
    """

    scores: Scores
    truncated: int
    tokens: int
    uncalibrated: Uncalibrated | None = None
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Mistake:
    """Text whose right label got little probability.

    Attributes:
        row: its place; its number counts from 1, the header left out.
        loss: nats; of multi-label the mean over labels.
        predicted, truth: names of labels.
    """

    row: Row
    loss: float
    predicted: tuple[str, ...]
    truth: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """Evaluation with the probabilities that it was made from.

    Attributes:
        evaluation: the figures.
        probabilities_NC: float32, in the order of the file.
        truth_NC: which labels each text has.
    """

    evaluation: Evaluation
    probabilities_NC: npt.NDArray[np.float32]
    truth_NC: Decisions


def evaluate(
    classifier: Classifier,
    dataset: Dataset,
    logits_NC: npt.NDArray[np.float32] | None = None,
    *,
    seed: int = 0,
) -> Result:
    """Scores every text of `dataset` among its choices.

    Args:
        classifier: gives the logits, and says how they are calibrated.
        dataset: what is scored.
        logits_NC: in place of those of the classifier, where it was trained on the texts: those of networks that were
            not (see `training.runs.folds`).
        seed: of the bootstrap.

    Raises:
        DataError: a label is unknown to the checkpoint, or the file is multi-label and the checkpoint is not.
    """
    truth_NC = truth_for(dataset, classifier)
    encoded = classifier.encode(dataset.texts)
    all_logits_NC = logits_of(classifier, encoded) if logits_NC is None else logits_NC
    rows = [text.ids for text in encoded]
    logits_NC = among(all_logits_NC, allowed_labels(dataset, classifier.labels))
    probabilities_NC = classifier.probabilities(classifier.calibrate(logits_NC, rows))
    sure_N, right_N = best_answers(classifier.probabilities(classifier.calibrate(all_logits_NC, rows)), truth_NC)
    task, thresholds = classifier.task, classifier.thresholds
    scores = score(probabilities_NC, truth_NC, classifier.labels, task=task, thresholds=thresholds, seed=seed)
    evaluation = Evaluation(
        scores=scores,
        truncated=sum(text.truncated for text in encoded),
        tokens=sum(text.num_tokens for text in encoded),
        uncalibrated=score_uncalibrated(probabilities(logits_NC.astype(np.float64), task=task), truth_NC, task=task),
        kept=tuple(kept_by(found, sure_N, right_N) for found in classifier.precision_thresholds),
    )
    return Result(evaluation, probabilities_NC, truth_NC)


def best_answers(probabilities_NC: Floats, truth_NC: Decisions) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of each text's most probable label, 0 to 1 [N], and whether the text has that label."""
    best_N = probabilities_NC.argmax(axis=1)
    rows_N = np.arange(len(best_N))
    return probabilities_NC[rows_N, best_N], truth_NC[rows_N, best_N]


def logits_of(classifier: Classifier, encoded: Sequence[Encoded]) -> npt.NDArray[np.float32]:
    """Uncalibrated logits [N, C] of any number of texts, in their order."""
    return map_batches(
        lambda rows: classifier.raw_logits([encoded[i] for i in rows]),
        lengths_of([text.ids for text in encoded]),
        width=len(classifier.labels),
        max_tokens=BATCH_TOKENS,
        max_rows=256,
    )


def truth_for(dataset: Dataset, classifier: Classifier) -> Decisions:
    """Decisions [N, C] of the checkpoint's labels for each text.

    Raises:
        DataError: as in `evaluate`.
    """
    _check_task(dataset, classifier)
    return truth_of(dataset, classifier.labels)


def _check_task(dataset: Dataset, classifier: Classifier) -> None:
    if dataset.task == "multi_label" and classifier.task == "single_label":
        cause = "has lists of labels, but the checkpoint gives each text one label"
        raise DataError(dataset.path, cause, column=dataset.label_column)


class Place(TypedDict, total=False):
    """Options that say where in a file texts and labels are."""

    text_column: str | None
    label_column: str | None
    sheet: str | None


class Reading(Place, total=False):
    """Options that say how a labelled file is read for a checkpoint."""

    merge_labels: bool
    label_separator: str | None


def read_for(
    file: Path,
    classifier: Classifier,
    *,
    merge_labels: bool = False,
    label_separator: str | None = None,
    **place: Unpack[Place],
) -> Dataset:
    """Reads a labelled file whose labels are those of a checkpoint, or others.

    Raises:
        TableError: the file cannot be read.
    """
    return read_dataset(file, rules=rules_for(classifier, merge=merge_labels, separator=label_separator), **place)


def read_judged(
    file: Path, classifier: Classifier, *, ignore_unknown_labels: bool = False, **reading: Unpack[Reading]
) -> Dataset:
    """Reads a labelled file to judge a checkpoint by.

    Raises:
        TableError: the file cannot be read.
        DataError: as in `evaluate`, where unknown labels are not to be ignored; or no row is left.
    """
    dataset = read_for(file, classifier, **reading)
    _check_task(dataset, classifier)
    if ignore_unknown_labels:
        return without_unknown(dataset, classifier.labels)
    refuse_unknown(dataset, classifier.labels, "--ignore-unknown-labels leaves such rows out")
    return dataset


def rules_for(classifier: Classifier, *, merge: bool = False, separator: str | None = None) -> LabelRules:
    """The rules to read labelled files by, so that the labels of a checkpoint keep their names; see `LabelRules`.

    Where no `separator` is named, it is found for a checkpoint of several labels a text, and another one has none.
    """
    multi_label = classifier.task == "multi_label"
    asked = "none" if separator is None and not multi_label else separator
    return replace(LabelRules.named(classifier.labels, asked, merge), multi_label=multi_label)


def worst_mistakes(result: Result, dataset: Dataset, classifier: Classifier, count: int) -> list[Mistake]:
    """Wrongly classified texts of highest loss, highest first."""
    labels, task = classifier.labels, classifier.task
    losses_N = losses(result.probabilities_NC, result.truth_NC, task=task)
    chosen_NC = decide(result.probabilities_NC, task=task, thresholds_C=classifier.thresholds)
    wrong_N = (chosen_NC != result.truth_NC).any(axis=1)
    order = [int(i) for i in np.argsort(-losses_N, kind="stable") if wrong_N[i]]
    return [
        Mistake(
            row=dataset.rows[i],
            loss=float(losses_N[i]),
            predicted=_names(chosen_NC[i], labels),
            truth=_names(result.truth_NC[i], labels),
            text=dataset.texts[i],
        )
        for i in order[:count]
    ]


def _names(decisions_C: Decisions, labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(label for label, chosen in zip(labels, decisions_C, strict=True) if chosen)
