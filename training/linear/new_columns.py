"""Fits n-grams to labels that are added to a network whose table of n-grams is there already.

The columns of the old labels stay. Those of new labels are fitted to texts that have one, and only tell these labels
from one another: the texts say nothing of the old ones.

Shape suffixes: N texts, F buckets, C labels, K new labels, V texts that choose.
"""

import copy
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix

from model.config import Task
from model.network import RecurrentClassifier
from training.linear.ngrams import Blend, Floats, fit_blend
from training.linear.targets import Targets

Places = npt.NDArray[np.int64]

MOST = 2.0
"""Weight of the n-grams over that of the network, at most. On two sets 1 to 2.5 are alike; with more the new labels
rise above the old ones, which no text that chooses has to have."""


def fit_new_columns(
    present_NF: csr_matrix,
    targets: Targets,
    present_VF: csr_matrix,
    chooses: Targets,
    logits_VC: Floats,
    new_K: Places,
    order: int,
    strengths: Sequence[float],
    task: Task,
    *,
    balanced: bool = False,
) -> Blend | None:
    """The linear model of the labels at `new_K`, of the strength and with the shares of least loss among these labels.

    None where it can tell nothing: of a single choice there is one new label, or no text that chooses has any.
    """
    learn_N, choose_V = _with_any(targets, new_K, task), _with_any(chooses, new_K, task)
    if len(new_K) < (2 if task == "single_label" else 1) or not len(choose_V):
        return None
    given = (
        present_NF[learn_N],
        targets.of_labels(new_K).take(learn_N),
        present_VF[choose_V],
        chooses.of_labels(new_K).take(choose_V),
        logits_VC[np.ix_(choose_V, new_K)],
    )
    blends = [fit_blend(*given, order, strength, task, balanced=balanced) for strength in strengths]
    return min(blends, key=lambda blend: blend.shares.loss)


def _with_any(targets: Targets, new_K: Places, task: Task) -> Places:
    """The texts that have a new label; of labels that are a decision each, all."""
    if task == "multi_label":
        return np.arange(len(targets.truth_NC))
    return np.flatnonzero(targets.truth_NC[:, new_K].any(axis=1))


def with_new_columns(network: RecurrentClassifier, blend: Blend, new_K: Places, task: Task) -> RecurrentClassifier:
    """A network with these columns for the labels at `new_K`; the logits of other labels, and `network`, stay.

    Of a single choice the columns have the mean 0 over the new labels, and the network counts as before, so that these
    stand as high beside the old ones.
    """
    shares = blend.shares
    network_K, ngrams_K = shares.network_C, shares.ngrams_C
    if task == "single_label":
        network_K, ngrams_K = np.ones(len(new_K)), np.minimum(ngrams_K / network_K, MOST)
    table_FK, bias_K = ngrams_K * blend.table_FC, ngrams_K * blend.bias_C + shares.offset_C
    if task == "single_label":
        table_FK, bias_K = table_FK - table_FK.mean(axis=1, keepdims=True), bias_K - bias_K.mean()
    both = copy.deepcopy(network)
    if both.ngrams is None:
        raise AssertionError("the network has n-grams")
    with torch.no_grad():
        scale_K = torch.as_tensor(network_K).to(both.head.bias)
        both.head.weight[new_K] *= scale_K[:, None]
        both.head.bias[new_K] = both.head.bias[new_K] * scale_K + torch.as_tensor(bias_K).to(both.head.bias)
        both.ngrams.table[:, new_K] = torch.as_tensor(table_FK).to(both.ngrams.table)
    return both.eval()
