"""Figures of one held-out file: each label with its intervals, confusions, reliability and the worst answers.

Shape suffixes: N texts, C labels.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from model.classifier import Classifier
from training.data.dataset import Dataset
from training.data.personal import mask_personal
from training.evaluation.evaluate import Evaluation, Result, worst_mistakes
from training.evaluation.report import MAX_CONFUSION, shorten
from training.metrics.decisions import Decisions, confidence, decide
from training.metrics.intervals import f1_interval, wilson_interval
from training.metrics.reliability import reliability
from training.reporting.report import Confusion, Example, HeldOut, LabelFigures, Slices

CONFUSIONS = 30
WORST = 20

TEXT_LENGTH = 300
"""Characters of a text that a report shows."""


def held_out_figures(
    role: str,
    dataset: Dataset,
    result: Result,
    classifier: Classifier,
    slices: Sequence[Slices],
    *,
    show_texts: bool,
    by_folds: bool = False,
) -> HeldOut:
    """The figures of one file.

    Args:
        role, dataset, result: the file and the answers to it.
        classifier: gave them.
        slices: of its texts.
        show_texts: its worst answers may be looked at.
        by_folds: see `HeldOut`.
    """
    task, labels = classifier.task, classifier.labels
    chosen_NC = decide(result.probabilities_NC, task=task, thresholds_C=classifier.thresholds)
    return HeldOut(
        role=role,
        file=dataset.file_names,
        by_folds=by_folds,
        evaluation=without_large_confusion(result.evaluation),
        labels=tuple(label_figures(result.truth_NC, chosen_NC, labels)),
        confusions=confusions(result.truth_NC, chosen_NC, labels) if task == "single_label" else (),
        reliability=reliability(*confidence(result.probabilities_NC, result.truth_NC, task=task)),
        slices=tuple(slices),
        worst=worst_answers(result, dataset, classifier) if show_texts else (),
    )


def without_large_confusion(evaluation: Evaluation) -> Evaluation:
    """The evaluation without a confusion matrix of more than `MAX_CONFUSION` labels: of 1,000 it is a million cells."""
    if len(evaluation.scores.labels) <= MAX_CONFUSION:
        return evaluation
    return evaluation.model_copy(update={"scores": evaluation.scores.model_copy(update={"confusion": None})})


def label_figures(truth_NC: Decisions, chosen_NC: Decisions, labels: Sequence[str]) -> Iterator[LabelFigures]:
    """Precision, recall and F1 of each label, and what they could be by chance."""
    hits_C, support_C, given_C = (x.sum(axis=0).tolist() for x in (truth_NC & chosen_NC, truth_NC, chosen_NC))
    for label, hits, support, given in zip(labels, hits_C, support_C, given_C, strict=True):
        yield LabelFigures(
            label=label,
            support=support,
            given=given,
            precision=hits / max(given, 1),
            precision_interval=wilson_interval(hits, given),
            recall=hits / max(support, 1),
            recall_interval=wilson_interval(hits, support),
            f1=2 * hits / max(support + given, 1),
            f1_interval=f1_interval(hits, support + given - 2 * hits),
        )


def confusions(truth_NC: Decisions, chosen_NC: Decisions, labels: Sequence[str]) -> tuple[Confusion, ...]:
    """The commonest pairs of a label and another answer, the commonest first."""
    wrong_N = (truth_NC != chosen_NC).any(axis=1)
    pairs = np.stack([truth_NC[wrong_N].argmax(axis=1), chosen_NC[wrong_N].argmax(axis=1)], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    support_C = truth_NC.sum(axis=0)
    return tuple(
        Confusion(
            truth=labels[found[place, 0]],
            answer=labels[found[place, 1]],
            texts=int(counts[place]),
            share=float(counts[place] / support_C[found[place, 0]]),
        )
        for place in np.argsort(-counts, kind="stable")[:CONFUSIONS].tolist()
    )


def worst_answers(result: Result, dataset: Dataset, classifier: Classifier) -> tuple[Example, ...]:
    """The wrong answers of the highest loss."""
    places = {row: place for place, row in enumerate(dataset.rows)}
    places_of = {label: place for place, label in enumerate(classifier.labels)}
    found = []
    for mistake in worst_mistakes(result, dataset, classifier, WORST):
        place = places[mistake.row]
        p_C = result.probabilities_NC[place]
        found.append(
            Example(
                row=str(dataset.rows[place]),
                text=shown(mistake.text),
                given=mistake.truth,
                answer=mistake.predicted,
                given_probability=min((float(p_C[places_of[label]]) for label in mistake.truth), default=0.0),
                answer_probability=min((float(p_C[places_of[label]]) for label in mistake.predicted), default=0.0),
            )
        )
    return tuple(found)


def shown(text: str) -> str:
    """A text as a report shows it: on one line, shortened, addresses and telephone numbers masked."""
    return shorten(mask_personal(text[: 4 * TEXT_LENGTH]), TEXT_LENGTH)
