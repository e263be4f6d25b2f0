"""Attribution of a label to tokens: integrated gradients of F, the log-odds of `model.explain.log_odds`.

Along the path of `LogOdds`, with α from 0 to 1, token t gets

    e_t · ∫ ∂F(α)/∂x_t dα  +  its part of  g_b · ∫ ∂F(α)/∂z dα  of each n-gram b that it stands in

where g_b are the logits that the n-gram adds; these are parted equally among its places, and there among its tokens.
All parts together are F(1) - F(0).

Source: Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", eq. 1, proposition 1 (completeness).
The integral is a sum over equal steps at their midpoints: F is smooth but for kinks where a maximum changes over, and
a rule of higher order gains nothing there (measured on SST-2: Gauss-Legendre is no better with as many gradients). What
each step should add up to is known, F at its end less F at its beginning: where the sum misses, steps are made finer.

Shape suffixes: T time steps, B batch, E embedding, C labels, N texts, J each text once a step, P places of n-grams.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from model.batch import Ids, lengths_of, plan_batches
from model.explain.log_odds import MAX_BATCH_TOKENS, Floats, Labels, LogOdds
from model.ngrams import NgramBag, buckets_of
from model.padding import LENGTH_STEP

TOLERANCE = 0.01
"""A text whose gap is larger is done again with finer steps."""

FINER = 4
"""Parts that a step is cut into. Those are cut that miss most: as few as miss half of all that is missing."""

MOST_TIMES = 16
MOST_TOKENS = 32_768
"""After so many times the gradients of the first steps, and as many as have so many tokens together, no step is cut any
more. Of a thousand texts of SST-2, 34 need finer steps than 16: one, which is all but even, 692 gradients, the others
at most 168."""

SMALLEST_DIFFERENCE = 1e-3
"""A gap is a share of F(1) - F(0), or of this where that is less: rounding has moved F by 1e-5."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """Attributions of the tokens of one text.

    Attributes:
        scores: one a token.
        value, baseline: F of the text and of none, F(1) and F(0).
        gap: |sum of the scores - (value - baseline)| / |value - baseline|; see `SMALLEST_DIFFERENCE`.
        steps: gradients that were computed.
    """

    scores: Floats
    value: float
    baseline: float
    gap: float
    steps: int


def integrated_gradients(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, *, steps: int) -> list[Attributed]:
    """Attributes each text in `steps` steps, or in finer ones where the gap is above `TOLERANCE`."""
    values_N, baselines_N = odds.values(rows, labels_N), odds.values(rows, labels_N, np.zeros(len(rows)))
    found = []
    for i, scores in enumerate(integrate(odds, rows, labels_N, steps)):
        difference, gradients = values_N[i] - baselines_N[i], steps
        if gap_of(scores, difference) > TOLERANCE:
            scores, gradients = refine(odds, rows[i], int(labels_N[i]), steps, difference)
        gap = gap_of(scores, difference)
        found.append(Attributed(scores, float(values_N[i]), float(baselines_N[i]), gap, gradients))
    return found


def gap_of(scores: Floats, difference: float) -> float:
    """Distance between the sum of the scores and the difference that they should add up to, relative to that."""
    return float(abs(scores.sum() - difference) / max(abs(difference), SMALLEST_DIFFERENCE))


def integrate(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, steps: int) -> list[Floats]:
    """Scores the tokens of each text at the midpoints of so many equal steps."""
    lengths_N = lengths_of(rows)
    scores_NT = np.zeros((len(rows), int(lengths_N.max(initial=0)) + LENGTH_STEP))  # room for padding
    by_logits_NC = np.zeros((len(rows), odds.network.head.out_features))
    texts_J = np.repeat(np.arange(len(rows)), steps)
    scales_J = np.tile((np.arange(steps) + 0.5) / steps, len(rows))
    for jobs in plan_batches(lengths_N[texts_J], max_tokens=MAX_BATCH_TOKENS, max_rows=MAX_BATCH_TOKENS):
        texts_B = texts_J[jobs]
        x_TBE, by_x_TBE, by_logits_BC = odds.gradients([rows[i] for i in texts_B], labels_N[texts_B], scales_J[jobs])
        scores_BT = (x_TBE * by_x_TBE).sum(2).T.cpu().numpy()
        np.add.at(scores_NT[:, : scores_BT.shape[1]], texts_B, scores_BT / steps)
        np.add.at(by_logits_NC, texts_B, by_logits_BC.cpu().numpy() / steps)
    return [scores_NT[i, : len(row)] + shares(odds.network.ngrams, row, by_logits_NC[i]) for i, row in enumerate(rows)]


def refine(odds: LogOdds, ids: Ids, label: int, steps: int, difference: float) -> tuple[Floats, int]:
    """Scores one text with finer steps where the sum misses, and counts the gradients.

    Args:
        odds: network.
        ids: tokens of the text.
        label: explained, as its place among the labels.
        steps: equal steps to begin with.
        difference: F(1) - F(0).
    """
    fresh = [(step / steps, (step + 1) / steps) for step in range(steps)]
    known: list[_Step] = []
    gradients, at_most = 0, max(MOST_TIMES * steps, MOST_TOKENS // max(1, len(ids)))
    while True:
        known = sorted([*known, *_steps(odds, ids, label, fresh)], key=lambda step: step.missing)
        gradients += len(fresh)
        scores = np.sum([step.scores for step in known], axis=0)
        if gap_of(scores, difference) <= TOLERANCE or gradients >= at_most:
            return scores, gradients
        half = sum(step.missing for step in known) / 2
        worst = [known.pop()]
        while known and sum(step.missing for step in worst) < half:
            worst.append(known.pop())
        fresh = [part for step in worst for part in _cut(step.begin, step.end)]


@dataclass(frozen=True, slots=True)
class _Step:
    """Step from one α to another: its scores of the tokens, and their distance from the change of F."""

    begin: float
    end: float
    scores: Floats
    missing: float


def _steps(odds: LogOdds, ids: Ids, label: int, spans: Sequence[tuple[float, float]]) -> Iterator[_Step]:
    at_most = max(1, MAX_BATCH_TOKENS // max(1, len(ids)))
    for first in range(0, len(spans), at_most):
        begins_B, ends_B = np.array(spans[first : first + at_most]).T
        rows, labels_B = [ids] * len(begins_B), np.full(len(begins_B), label, dtype=np.int64)
        x_TBE, by_x_TBE, by_logits_BC = odds.gradients(rows, labels_B, (begins_B + ends_B) / 2)
        widths_B1 = (ends_B - begins_B)[:, None]
        scores_BT = (x_TBE * by_x_TBE).sum(2).T.cpu().numpy()[:, : len(ids)] * widths_B1
        by_logits = by_logits_BC.cpu().numpy() * widths_B1
        moved_B = odds.values(rows, labels_B, ends_B) - odds.values(rows, labels_B, begins_B)
        for b, begin in enumerate(begins_B):
            scores = scores_BT[b] + shares(odds.network.ngrams, ids, by_logits[b])
            yield _Step(float(begin), float(ends_B[b]), scores, float(abs(scores.sum() - moved_B[b])))


def _cut(begin: float, end: float) -> list[tuple[float, float]]:
    edges = np.linspace(begin, end, FINER + 1).tolist()
    return list(pairwise(edges))


def shares(bag: NgramBag | None, ids: Ids, by_logits_C: Floats) -> Floats:
    """Each token's part of the n-grams that hold it, [T], given the gradient `by_logits_C` of F by the logits.

    Zeros without a bag. Equal parts of what `NgramBag.forward` adds: of an n-gram for each place where it begins, there
    for each token.
    """
    scores = np.zeros(len(ids))
    if bag is None or not len(ids):
        return scores
    ids_T1 = torch.from_numpy(np.asarray(ids, dtype=np.int64)).unsqueeze(1).to(bag.table.device)
    orders = range(1, min(bag.max_order, len(ids)) + 1)
    buckets_P = torch.cat([buckets_of(ids_T1, order, len(bag.table)) for order in orders]).squeeze(1)
    distinct, which_P, counts = torch.unique(buckets_P, return_inverse=True, return_counts=True)
    logits = bag.table[distinct].double().cpu().numpy() * len(distinct) ** -0.5
    parts_P = (logits @ by_logits_C / counts.cpu().numpy())[which_P.cpu().numpy()]
    for order in orders:
        places = len(ids) - order + 1
        for offset in range(order):
            scores[offset : offset + places] += parts_P[:places] / order
        parts_P = parts_P[places:]
    return scores
