"""Ranks texts by how likely their label is wrong, from probabilities of models that have not learned from them.

Source: Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", section 3 (the
confident joint, which counts the errors; the rankings by self-confidence and by normalised margin).

Shape suffixes: N texts, C labels.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from model.config import Task
from training.metrics.decisions import Decisions, Floats

Places = npt.NDArray[np.int64]
Ranking = Literal["self_confidence", "margin"]


@dataclass(frozen=True, slots=True)
class LabelDoubts:
    """Texts in the order of doubt about their labels.

    Attributes:
        order_N: places of the texts, the most doubtful first.
        label_N: by place of the text, the label in doubt: of a single label the likeliest other one; of several labels
            the one whose presence or absence is least likely.
        given_N: by place of the text, the probability of what the file says about the label in doubt, 0 to 1: of a
            single label that of the label given.
        other_N: the probability of the contrary; of a single label that of `label_N`.
        expected: number of wrong labels that confident learning counts, in texts (of several labels, in decisions).
    """

    order_N: Places
    label_N: Places
    given_N: Floats
    other_N: Floats
    expected: int


def rank_label_errors(
    probabilities_NC: Floats, truth_NC: Decisions, *, task: Task, by: Ranking = "self_confidence"
) -> LabelDoubts:
    """Ranks texts whose probabilities come from models that did not see them; equally doubtful ones keep their order.

    Args:
        probabilities_NC: 0 to 1; 0 for a label that a text cannot have.
        truth_NC: labels as given, exactly one a text where the task is single-label.
        task: one label a text, or a set.
        by: `self_confidence` is the probability of what is given; `margin` takes the likeliest other label's from it.

    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    >>> doubts = rank_label_errors(probabilities, np.array([[1, 0], [1, 0], [1, 0]], dtype=bool), task="single_label")
    >>> doubts.order_N.tolist(), doubts.label_N.tolist()
    ([1, 2, 0], [1, 1, 1])
    """
    p_NC = probabilities_NC.astype(np.float64)
    rows_N = np.arange(len(p_NC))
    if task == "multi_label":
        agreed_NC = np.where(truth_NC, p_NC, 1 - p_NC)
        label_N = agreed_NC.argmin(axis=1)
        given_N = agreed_NC[rows_N, label_N]
        other_N = 1 - given_N
        expected = sum(_confident_decisions(p_N, has_N) for p_N, has_N in zip(p_NC.T, truth_NC.T, strict=True))
    else:
        place_N = truth_NC.argmax(axis=1)
        given_N = p_NC[rows_N, place_N]
        others_NC = np.where(truth_NC, -1.0, p_NC)
        label_N = others_NC.argmax(axis=1)
        other_N = others_NC[rows_N, label_N]
        expected = _confident(p_NC, place_N)
    score_N = given_N if by == "self_confidence" else given_N - other_N
    return LabelDoubts(np.argsort(score_N, kind="stable"), label_N, given_N, other_N, expected)


def _confident(p_NC: Floats, place_N: npt.NDArray[np.integer[Any]]) -> int:
    """Texts off the diagonal of the confident joint.

    A text counts for a label if the label has at least the mean probability that it has among the texts that bear it;
    of several such labels for the likeliest. It counts for no label that is less likely than the one it bears: the mean
    of a label that few texts bear is about 0, which every text reaches.

    Source: Northcutt et al. 2021, eqs. 1 and 2; that a label which is likeliest is no error is cleanlab's rule
    (`find_label_issues`).
    """
    num_labels = p_NC.shape[1]
    given_N = p_NC[np.arange(len(p_NC)), place_N]
    bearing_C = np.bincount(place_N, minlength=num_labels)
    sums_C = np.bincount(place_N, weights=given_N, minlength=num_labels)
    mean_C = np.where(bearing_C > 0, sums_C / np.maximum(bearing_C, 1), np.inf)
    reached_N = np.where(p_NC >= mean_C, p_NC, -1.0).max(axis=1)
    return int((reached_N > given_N).sum())


def _confident_decisions(p_N: Floats, has_N: Decisions) -> int:
    """Texts that count for the contrary of what the file says of one label, and for which it is likelier too.

    A label that few texts have has low probabilities everywhere, so that many texts without it reach their mean.
    """
    with_it, without = p_N[has_N], 1 - p_N[~has_N]
    missing = (p_N >= (with_it.mean() if len(with_it) else np.inf)) & (p_N > 0.5) & ~has_N
    surplus = (1 - p_N >= (without.mean() if len(without) else np.inf)) & (p_N < 0.5) & has_N
    return int((missing | surplus).sum())


def precision_at(doubts: LabelDoubts, wrong_N: npt.NDArray[np.bool_], share: float) -> float:
    """Share of wrong labels among the most doubtful `share` of the texts, both 0 to 1; at least one text is taken."""
    first = doubts.order_N[: max(1, round(share * len(wrong_N)))]
    return float(wrong_N[first].mean())
