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
a rule of higher order gains nothing there (measured on SST-2: Gauss-Legendre is no better at equal steps).

Shape suffixes: T time steps, B batch, E embedding, C labels, N texts, J gradients: each text once a step, P places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
"""A text whose gap is larger is done again with more steps."""

REFINEMENT = 4
"""How many times more."""

REFINEMENTS = 3
"""How often at most."""

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
        steps: of the last sum.
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

    def logits(self, rows: Sequence[Ids]) -> Floats:
        """Logits [N, C] over the temperature."""
        found = np.zeros((len(rows), self.network.head.out_features))
        for batch, ids_TB, lengths_B in self._batches(rows):
            with torch.inference_mode():
                found[batch] = (self.network(ids_TB, lengths_B) / self._temperature).cpu().numpy()
        return found

    def probabilities(self, logits_NC: Floats) -> Floats:
        """Calibrated probabilities [..., C], as those of `model.classifier.Classifier`."""
        logits = torch.from_numpy(logits_NC)
        return (logits.sigmoid() if self._multi_label else logits.softmax(-1)).numpy()  # type: ignore[no-any-return]

    def of_logits(self, logits_BC: Tensor, labels_B: Tensor) -> Tensor:
        """F [B] of logits over the temperature."""
        chosen_B1 = labels_B.unsqueeze(1)
        value_B = logits_BC.gather(1, chosen_B1).squeeze(1)
        if self._multi_label:
            return value_B
        return value_B - logits_BC.scatter(1, chosen_B1, float("-inf")).logsumexp(1)

    def values(self, rows: Sequence[Ids], labels_N: Labels) -> Floats:
        """F(1) [N]."""
        return self.of_logits(torch.from_numpy(self.logits(rows)), torch.from_numpy(labels_N)).numpy()  # type: ignore[no-any-return]

    def baselines(self, rows: Sequence[Ids], labels_N: Labels) -> Floats:
        """F(0) [N]: that of texts as long as these, with zeros for embeddings and without n-grams."""
        found = np.zeros((len(rows), self.network.head.out_features))
        for batch, ids_TB, lengths_B in self._batches(rows):
            with torch.inference_mode():
                zeros_TBE = self.network.embed(ids_TB).zero_()
                found[batch] = (self.network.from_embedded(zeros_TBE, lengths_B) / self._temperature).cpu().numpy()
        return self.of_logits(torch.from_numpy(found), torch.from_numpy(labels_N)).numpy()  # type: ignore[no-any-return]

    def gradients(self, rows: Sequence[Ids], labels_B: Labels, scales_B: Floats) -> tuple[Tensor, Tensor, Tensor]:
        """What moves F at one point, α of `scales_B`, of each row's path.

        Returns:
            The embedded text [T, B, E], not scaled; the gradient of F by its scaled copy [T, B, E]; and that by the
            logits [B, C].
        """
        ids_TB, lengths_B = self._pad(rows)
        labels = torch.from_numpy(labels_B).to(self._device)
        scales = torch.from_numpy(scales_B).to(self._device, torch.float32)
        with torch.no_grad():
            x_TBE = self.network.embed(ids_TB)
            scaled_TBE = x_TBE * scales.unsqueeze(1)
            bag_BC = self.network.ngrams(ids_TB, lengths_B) if self.network.ngrams is not None else 0.0
        scaled_TBE.requires_grad_()
        logits_BC = self.network.from_embedded(scaled_TBE, lengths_B)
        # The bag's logits are a constant here; scaled by α they move F by its gradient by all logits.
        value = self.of_logits((logits_BC + bag_BC * scales.unsqueeze(1)) / self._temperature, labels).sum()
        by_x_TBE, by_logits_BC = torch.autograd.grad(value, [scaled_TBE, logits_BC])
        return x_TBE, by_x_TBE, by_logits_BC

    def _pad(self, rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        longest = max((len(row) for row in rows), default=0)
        padded = pad(rows, num_steps=-(-longest // LENGTH_STEP) * LENGTH_STEP).to(self._device)
        return padded.ids_TB, padded.lengths_B

    def _batches(self, rows: Sequence[Ids]) -> Iterator[tuple[npt.NDArray[np.int64], Tensor, Tensor]]:
        lengths_N = np.array([len(row) for row in rows], dtype=np.int64)
        for batch in plan_batches(lengths_N, max_tokens=MAX_BATCH_TOKENS, max_rows=MAX_BATCH_TOKENS):
            yield batch, *self._pad([rows[i] for i in batch])


def integrated_gradients(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, *, steps: int) -> list[Attributed]:
    """One attribution a text, in `steps` steps, or more where the gap is above `TOLERANCE`."""
    values_N, baselines_N = odds.values(rows, labels_N), odds.baselines(rows, labels_N)
    found: dict[int, Attributed] = {}
    todo = list(range(len(rows)))
    for refinement in range(REFINEMENTS + 1):
        used = steps * REFINEMENT**refinement
        for i, scores in zip(todo, integrate(odds, [rows[i] for i in todo], labels_N[todo], used), strict=True):
            difference = values_N[i] - baselines_N[i]
            gap = abs(scores.sum() - difference) / max(abs(difference), SMALLEST_DIFFERENCE)
            found[i] = Attributed(scores, float(values_N[i]), float(baselines_N[i]), float(gap), used)
        todo = [i for i in todo if found[i].gap > TOLERANCE]
        if not todo:
            break
    return [found[i] for i in range(len(rows))]


def integrate(odds: LogOdds, rows: Sequence[Ids], labels_N: Labels, steps: int) -> list[Floats]:
    """The scores of each text's tokens by the midpoints of so many equal steps."""
    lengths_N = np.array([len(row) for row in rows], dtype=np.int64)
    scores_NT = np.zeros((len(rows), int(lengths_N.max(initial=0)) + LENGTH_STEP))
    by_logits_NC = np.zeros((len(rows), odds.network.head.out_features))
    texts_J = np.repeat(np.arange(len(rows)), steps)
    scales_J = np.tile((np.arange(steps) + 0.5) / steps, len(rows))
    for jobs in plan_batches(lengths_N[texts_J], max_tokens=MAX_BATCH_TOKENS, max_rows=MAX_BATCH_TOKENS):
        texts_B = texts_J[jobs]
        x_TBE, by_x_TBE, by_logits_BC = odds.gradients([rows[i] for i in texts_B], labels_N[texts_B], scales_J[jobs])
        scores_BT = (x_TBE * by_x_TBE).sum(2).T.cpu().numpy()
        np.add.at(scores_NT[:, : scores_BT.shape[1]], texts_B, scores_BT / steps)
        np.add.at(by_logits_NC, texts_B, by_logits_BC.cpu().numpy() / steps)
    scores = [row[:length] for row, length in zip(scores_NT, lengths_N, strict=True)]
    bag = odds.network.ngrams
    if bag is not None:
        for i, row in enumerate(rows):
            scores[i] += shares(bag, row, by_logits_NC[i])
    return scores


def shares(bag: NgramBag, ids: Ids, by_logits_C: Floats) -> Floats:
    """What each token has of the n-grams that it stands in, [T], where F grows by `by_logits_C` with each logit.

    Equal parts of what `NgramBag.forward` adds: of an n-gram for each place where it begins, there for each token.
    """
    scores = np.zeros(len(ids))
    ids_T1 = torch.from_numpy(np.asarray(ids, dtype=np.int64)).unsqueeze(1).to(bag.table.device)
    orders = range(1, min(bag.max_order, len(ids)) + 1)
    if not orders:
        return scores
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
