"""Which tokens speak for a label, and how much: integrated gradients, and leaving tokens out.

What is explained is F, the log-odds of a label by its calibrated probability p: F = log(p / (1 - p)). With z the logits
over the temperature it is z_c of a multi-label network, and z_c - log(sum of exp z_k over the others) else.

The path leads from no text to the text in a straight line: with α from 0 to 1, every embedding is scaled by α, and the
logits of the n-grams too. Token t gets

    e_t · ∫ ∂F(α)/∂x_t dα  +  its part of  g_b · ∫ ∂F(α)/∂z dα  of each n-gram b that it stands in

where g_b are the logits that the n-gram adds; these are parted equally among its places, and there among its tokens.
All parts together are F(1) - F(0).

Source: Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", eq. 1, proposition 1 (completeness).
The integral is a sum over equal steps at their midpoints: F is smooth but for kinks where a maximum changes over, and
a rule of higher order gains nothing there (measured on SST-2: Gauss-Legendre is no better with as many gradients). What
each step should add up to is known, F at its end less F at its beginning: where the sum misses, steps are made finer.

Shape suffixes: T time steps, B batch, E embedding, C labels, N texts, J gradients: each text once a step, P places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.batch import Ids, pad, plan_batches
from model.config import CheckpointConfig
from model.network import LstmClassifier
from model.ngrams import NgramBag, buckets_of

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
"""The label explained of each text, as its place among the labels."""

TOLERANCE = 0.01
"""A text whose gap is larger is done again with finer steps."""

FINER = 4
"""Parts that a step is cut into; a quarter of the steps, those that miss most, are cut at a time."""

MOST_TIMES = 64
"""As many gradients as the first steps took, so many times, are the most that are spent on closing a gap."""

SMALLEST_DIFFERENCE = 1e-3
"""A gap is a share of F(1) - F(0), or of this where that is less: rounding has moved F by 1e-5."""

MAX_BATCH_TOKENS = 4096
"""Padded tokens computed at once; with their gradients they take about 100 MB in a network of 256 units."""

LENGTH_STEP = 8
"""Rows are padded to a multiple of this many tokens, as in `model.classifier`."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """A text's attributions.

    Attributes:
        scores: one a token.
        value, baseline: F of the text and of none, F(1) and F(0).
        gap: |sum of the scores - (value - baseline)| / |value - baseline|.
        steps: gradients that were computed.
    """

    scores: Floats
    value: float
    baseline: float
    gap: float
    steps: int


class LogOdds:
    """F of a network.

    Args:
        network: in float32; no gradient flows to its weights from now on.
        config: of its checkpoint.
        device: where it is.
    """

    def __init__(self, network: LstmClassifier, config: CheckpointConfig, device: torch.device) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        network.layers.train()  # cuDNN has no backward pass for layers in evaluation; nothing is dropped all the same.
        self._temperature = config.temperature
        self._multi_label = config.task == "multi_label"
        self._device = device

    def logits(self, rows: Sequence[Ids], scales_N: Floats | None = None) -> Floats:
        """Logits [N, C] over the temperature, at the point `scales_N` (α) of each text's path; by default at its end."""
        found = np.zeros((len(rows), self.network.head.out_features))
        scales_N = np.ones(len(rows)) if scales_N is None else scales_N
        lengths_N = np.array([len(row) for row in rows], dtype=np.int64)
        for batch in plan_batches(lengths_N, max_tokens=MAX_BATCH_TOKENS, max_rows=MAX_BATCH_TOKENS):
            with torch.inference_mode():
                x_TBE, bag_BC, lengths_B = self._embed([rows[i] for i in batch])
                scales_B1 = self._on_device(scales_N[batch]).float().unsqueeze(1)
                logits_BC = self.network.from_embedded(x_TBE * scales_B1, lengths_B) + bag_BC * scales_B1
                found[batch] = (logits_BC / self._temperature).cpu().numpy()
        return found

    def probabilities(self, logits_NC: Floats) -> Floats:
        """Calibrated probabilities [..., C], as those of `model.classifier.Classifier`."""
        logits = torch.from_numpy(logits_NC)
        return (logits.sigmoid() if self._multi_label else logits.softmax(-1)).numpy()

    def of_logits(self, logits_BC: Tensor, labels_B: Tensor) -> Tensor:
        """F [B] of logits over the temperature."""
        chosen_B1 = labels_B.unsqueeze(1)
        value_B = logits_BC.gather(1, chosen_B1).squeeze(1)
        if self._multi_label:
            return value_B
        return value_B - logits_BC.scatter(1, chosen_B1, float("-inf")).logsumexp(1)

    def values(self, rows: Sequence[Ids], labels_N: Labels, scales_N: Floats | None = None) -> Floats:
        """F [N] at the point `scales_N` (α) of each text's path; by default F(1)."""
        logits_NC = torch.from_numpy(self.logits(rows, scales_N))
        return self.of_logits(logits_NC, torch.from_numpy(labels_N)).numpy()

    def gradients(self, rows: Sequence[Ids], labels_B: Labels, scales_B: Floats) -> tuple[Tensor, Tensor, Tensor]:
        """What moves F at one point, α of `scales_B`, of each row's path.

        Returns:
            The embedded text [T, B, E], not scaled; the gradient of F by its scaled copy [T, B, E]; and that by the
            logits [B, C].
        """
        with torch.no_grad():
            x_TBE, bag_BC, lengths_B = self._embed(rows)
            scales_B1 = self._on_device(scales_B).float().unsqueeze(1)
            scaled_TBE = x_TBE * scales_B1
        scaled_TBE.requires_grad_()
        # The n-grams' logits are a constant here: F's gradient by them is that by all logits.
        logits_BC = self.network.from_embedded(scaled_TBE, lengths_B) + bag_BC * scales_B1
        value = self.of_logits(logits_BC / self._temperature, self._on_device(labels_B)).sum()
        by_x_TBE, by_logits_BC = torch.autograd.grad(value, [scaled_TBE, logits_BC])
        return x_TBE, by_x_TBE, by_logits_BC

    def _embed(self, rows: Sequence[Ids]) -> tuple[Tensor, Tensor, Tensor]:
        """Embedded texts [T, B, E], the logits of their n-grams [B, C] and their lengths [B]."""
        longest = max((len(row) for row in rows), default=0)
        padded = pad(rows, num_steps=-(-longest // LENGTH_STEP) * LENGTH_STEP).to(self._device)
        x_TBE = self.network.embed(padded.ids_TB)
        if self.network.ngrams is None:
            return x_TBE, x_TBE.new_zeros(len(rows), self.network.head.out_features), padded.lengths_B
        return x_TBE, self.network.ngrams(padded.ids_TB, padded.lengths_B), padded.lengths_B

    def _on_device(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self._device)


def integrated_gradients(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, *, steps: int) -> list[Attributed]:
    """One attribution a text, in `steps` steps, or finer ones where the gap is above `TOLERANCE`."""
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
    """What the scores miss of what they should add up to, as a share of that."""
    return float(abs(scores.sum() - difference) / max(abs(difference), SMALLEST_DIFFERENCE))


def integrate(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, steps: int) -> list[Floats]:
    """The scores of each text's tokens by the midpoints of so many equal steps."""
    lengths_N = np.array([len(row) for row in rows], dtype=np.int64)
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
    """The scores of one text, with finer steps where they miss, and how many gradients that took.

    Args:
        odds, ids, label: what is explained.
        steps: to begin with.
        difference: F(1) - F(0).
    """
    fresh = [(step / steps, (step + 1) / steps) for step in range(steps)]
    known: list[_Step] = []
    gradients = 0
    while True:
        known = sorted([*known, *_steps(odds, ids, label, fresh)], key=lambda step: step.missing)
        gradients += len(fresh)
        scores = np.sum([step.scores for step in known], axis=0)
        if gap_of(scores, difference) <= TOLERANCE or gradients >= MOST_TIMES * steps:
            return scores, gradients
        keep = len(known) - -(-len(known) // FINER)
        known, worst = known[:keep], known[keep:]
        fresh = [part for step in worst for part in _cut(step.begin, step.end)]


@dataclass(frozen=True, slots=True)
class _Step:
    """A step from one α to another: what it gives to each token, and how far that is from what F does."""

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
    """What each token has of the n-grams that it stands in, [T], where F grows by `by_logits_C` with each logit.

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


def occlusions(odds: LogOdds, ids: Ids, parts: Sequence[range], label: int) -> Floats:
    """F of a text less F of the same without each of some runs of its tokens, [len(parts)]."""
    rows = [ids, *(np.concatenate([ids[: part.start], ids[part.stop :]]) for part in parts)]
    values = odds.values(rows, np.full(len(rows), label, dtype=np.int64))
    return np.asarray(values[0] - values[1:])
