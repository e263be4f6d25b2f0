"""Thresholds of a checkpoint from which its answers are right in 90, 95 and 99% of cases.

A request may ask to abstain below them (`min_precision`). They are found on held-out labelled texts, are stored in the
checkpoint's configuration, and stand in its card.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.checkpoint import load_checkpoint, replace_config
from model.classifier import Classifier
from model.config import PrecisionThreshold
from training.data.dataset import Dataset
from training.evaluation.card_section import put_section
from training.evaluation.evaluate import best_answers, logits_of, read_judged, truth_for
from training.metrics.abstention import ERROR_RATE, precision_threshold

PRECISIONS = (0.90, 0.95, 0.99)

TITLE = "## Abstaining\n"


def find_thresholds(
    classifier: Classifier, dataset: Dataset, logits_NC: npt.NDArray[np.float32] | None = None
) -> tuple[PrecisionThreshold, ...]:
    """Finds the threshold of each of `PRECISIONS`, for answers among all labels of the classifier.

    Args:
        classifier: calibrated.
        dataset: texts that it has not seen.
        logits_NC: of networks that have not seen the text, where the classifier has; see `evaluate`.

    A text of a set that lacks a label is judged like any other: if it gets that label it counts as a mistake, for
    nothing shows that it is none.
    """
    encoded = classifier.encode(dataset.texts)
    logits_NC = logits_of(classifier, encoded) if logits_NC is None else logits_NC
    probabilities_NC = classifier.probabilities(classifier.calibrate(logits_NC, [text.ids for text in encoded]))
    confidence_N, right_N = best_answers(probabilities_NC, truth_for(dataset, classifier))
    found = []
    for precision in PRECISIONS:
        threshold, coverage = precision_threshold(confidence_N, right_N, precision) or (None, 0.0)
        found.append(PrecisionThreshold(precision=precision, threshold=threshold, coverage=coverage))
    return tuple(found)


def add_thresholds(
    directory: Path, file: Path, *, device: str, **reading: Any
) -> tuple[tuple[PrecisionThreshold, ...], str, list[str]]:
    """Writes the thresholds found on a labelled file into a checkpoint and its card, in place of older ones.

    Only `config.json`, the card and their digests change, and with them the version. Use texts that are like those to
    come but were neither trained on nor used to choose the weights.

    `reading` are the options of `read_judged`.

    Returns:
        The thresholds, the new version, and what was left out of the file or is doubtful in it.

    Raises:
        CheckpointError: the folder cannot be used.
        TableError, DataError: the file cannot be read, or has a label that is unknown to the checkpoint.
    """
    checkpoint = load_checkpoint(directory)
    classifier = Classifier(checkpoint, device=device)
    dataset = read_judged(file, classifier, **reading)
    found = find_thresholds(classifier, dataset)
    config = checkpoint.config.model_copy(update={"precision_thresholds": found})
    card = with_section(checkpoint.card, found, len(dataset))
    warnings = [*dataset.warnings, *_lost(checkpoint.config.precision_thresholds or (), found, len(dataset))]
    return found, replace_config(directory, config, card), warnings


def _lost(older: Sequence[PrecisionThreshold], found: Sequence[PrecisionThreshold], num_texts: int) -> Iterator[str]:
    """Tells each share that had a threshold and has none any more."""
    there = {each.precision: each.threshold for each in older}
    for each in found:
        if each.threshold is None and (before := there.get(each.precision)) is not None:
            yield (
                f"{each.precision:.0%} had a threshold of {before:.4f}, and is not reached on these {num_texts:,} "
                "texts; more of them may show it (a thousand at least)"
            )


def with_section(card: str, thresholds: Sequence[PrecisionThreshold], num_texts: int, *, chose: bool = False) -> str:
    """Puts a table of the thresholds, found on so many texts, into a card in place of an older one.

    It says so if these texts `chose` the weights too, for then it promises less.
    """
    return put_section(card, _section(thresholds, num_texts, chose=chose), before=["## Data"])


def _section(thresholds: Sequence[PrecisionThreshold], num_texts: int, *, chose: bool) -> str:
    about = (
        "`min_precision` of a request is the share of cases in which answers are to be right: a text whose most "
        "probable label has less than the probability for it gets no label."
    )
    promise = (
        f"Found on {num_texts:,} held-out texts so that each line holds for further texts of the same kind with a "
        f"chance of {1 - ERROR_RATE:.0%}; for other texts it says nothing."
    )
    if chose:
        promise += (
            " These texts chose the weights too, so the chance is less: `python -m training precision` with other "
            "texts finds thresholds that hold."
        )
    rows = [f"| {found.precision:.0%} | {shown(found.threshold)} | {found.coverage:.1%} |\n" for found in thresholds]
    head = "| right in at least | from a probability of | texts answered |\n| --- | --- | --- |\n"
    return f"{TITLE}\n{about}\n\n{head}{''.join(rows)}\n{promise}\n"


def shown(threshold: float | None) -> str:
    """A threshold with four decimals, or that there is none."""
    return "not reached" if threshold is None else f"{threshold:.4f}"
