"""The objective of a training step: the seam between the loop and its losses.

Shape suffixes: N examples, C labels, B batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from model.network import RecurrentClassifier
from model.padding import Batch
from training.data.choices import NEVER, Allowed

TINY = torch.finfo(torch.float32).tiny

Rows = npt.NDArray[np.int64]
"""Places [B] of a batch's texts among the training examples."""

Loss = Callable[[Tensor, Rows], Tensor]
"""From logits [B, C] and the rows that they belong to, to the mean loss, a scalar. It keeps no state."""


class Objective(Protocol):
    """From a network in training mode and a labelled batch on its device to a scalar to be minimised.

    It keeps no state: what is random follows from PyTorch's generator, whose state is saved with a run, and from
    `step`, the steps done before this one. So a resumed run goes on exactly.
    """

    def __call__(self, network: RecurrentClassifier, batch: Batch, rows: Rows, step: int) -> Tensor:
        """The scalar to be minimised."""
        ...


class Supervised:
    """The loss of the labelled texts and nothing else.

    Args:
        loss: of the labelled texts.
        dtype: number format of the passes.
    """

    def __init__(self, loss: Loss, dtype: torch.dtype) -> None:
        self._loss, self._dtype = loss, dtype

    def __call__(self, network: RecurrentClassifier, batch: Batch, rows: Rows, step: int) -> Tensor:
        """The mean loss of the batch."""
        with mixed_precision(batch.ids_TB.device, self._dtype):
            logits_BC = network(batch.ids_TB, batch.lengths_B)
        return self._loss(logits_BC.float(), rows)


MakeObjective = Callable[[Loss, torch.dtype], Objective]
"""From the loss of the labelled texts and the number format of the passes to what is minimised."""


class CrossEntropy:
    """The cross-entropy of the targets: softmax over labels, or a sigmoid each where they are not exclusive.

    Args:
        targets: int64 [N], or float32 [N, C] in 0..1.
        weights_C: of each label, or for [N, C] of its positive side; None weights all alike.
        weights_N: of each text, 1 in the mean; None weights all alike.
        label_smoothing: share of the target spread over the labels among which the text is judged; not for labels that
            are a decision each.
        exclusive: targets [N, C] are probabilities that sum to 1; else each label is a decision.
        among: the labels among which each text is judged; None is all.
        device: where the weights of labels are held; best that of the logits.
    """

    def __init__(
        self,
        targets: npt.NDArray[Any],
        *,
        weights_C: npt.NDArray[np.floating[Any]] | None = None,
        weights_N: npt.NDArray[np.float32] | None = None,
        label_smoothing: float = 0.0,
        exclusive: bool = False,
        among: "Among | None" = None,
        device: torch.device,
    ) -> None:
        self._exclusive, self._among = exclusive, among
        self._targets, self._label_smoothing = targets, label_smoothing
        self._weights_N = weights_N
        self._weights_C = None if weights_C is None else torch.as_tensor(weights_C, dtype=torch.float32, device=device)

    def __call__(self, logits_BC: Tensor, rows: Rows) -> Tensor:
        """The mean loss of the batch."""
        device = logits_BC.device  # another process of the same training has another one
        targets = torch.as_tensor(self._targets[rows], device=device)
        weights_C = None if self._weights_C is None else self._weights_C.to(device)
        even_BC = torch.ones_like(logits_BC)
        if self._among is not None:
            logits_BC, even_BC = self._among.lowered(logits_BC, rows), self._among.odds(rows, device)
        if targets.ndim == 2 and not self._exclusive:
            losses = F.binary_cross_entropy_with_logits(logits_BC, targets, pos_weight=weights_C, reduction="none")
            return (losses * self._weights(rows, device)[:, None]).mean()
        losses_B = F.cross_entropy(logits_BC, targets, weight=weights_C, reduction="none")
        if self._label_smoothing:
            even_BC = even_BC / even_BC.sum(1, keepdim=True)
            even_B = F.cross_entropy(logits_BC, even_BC, weight=weights_C, reduction="none")
            losses_B = torch.lerp(losses_B, even_B, self._label_smoothing)
        return self._mean(losses_B, targets, self._weights(rows, device), weights_C)

    def _weights(self, rows: Rows, device: torch.device) -> Tensor:
        if self._weights_N is None:
            return torch.ones(len(rows), device=device)
        return torch.from_numpy(self._weights_N[rows]).to(device)

    def _mean(self, losses_B: Tensor, targets: Tensor, weights_B: Tensor, weights_C: Tensor | None) -> Tensor:
        """The mean of the texts' losses, each times its weight, over the weights of their labels."""
        if weights_C is None or self._exclusive:  # a label's weight is in each part of the loss
            return (losses_B * weights_B).mean()
        total = (weights_C[targets] * weights_B).sum().clamp_min(TINY)  # beside a huge weight others may come to 0
        return (losses_B * weights_B).sum() / total * weights_B.mean()


@dataclass(frozen=True, slots=True)
class Among:
    """The labels among which each text is judged, and what the others count beside them.

    Attributes:
        allowed_NC: the labels of each training text.
        other_labels: weight of the others; see `lower_others`.
    """

    allowed_NC: Allowed
    other_labels: float = 0.0

    def lowered(self, logits_BC: Tensor, rows: Rows) -> Tensor:
        """The logits, those of the other labels lowered by their weight."""
        return lower_others(logits_BC, self._allowed(rows, logits_BC.device), self.other_labels)

    def odds(self, rows: Rows, device: torch.device) -> Tensor:
        """Returns how much each label counts [B, C]: 1 if the text is judged by it, else `other_labels`."""
        return torch.where(self._allowed(rows, device), 1.0, self.other_labels)

    def _allowed(self, rows: Rows, device: torch.device) -> Tensor:
        return torch.from_numpy(self.allowed_NC[rows]).to(device)


def lower_others(logits_BC: Tensor, allowed_BC: Tensor, weight: float) -> Tensor:
    """The logits, those of labels that are not allowed so lowered that a softmax multiplies their odds by `weight`.

    At 0 a text teaches nothing of the labels that its set lacks. At 1 it teaches that none of them fits; in between it
    teaches so where the network is surer of them than of the text's own label.
    """
    return torch.where(allowed_BC, logits_BC, logits_BC + math.log(weight) if weight else NEVER)


def balanced_weights(
    targets: npt.NDArray[Any],
    num_labels: int,
    *,
    exclusive: bool = False,
    weights_N: npt.NDArray[np.floating[Any]] | None = None,
) -> npt.NDArray[np.float64]:
    """Weight of each label [C] with which a rare one counts as much, or for [N, C] the weight of its positive side.

    A text counts as much as it weighs in `weights_N`. Targets [N, C] that are `exclusive` are probabilities, whose sums
    are counts.

    Source: King & Zeng 2001, section 4.2 (weighting), with the normalisation N / (C * count) of scikit-learn's
    `balanced`.

    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666666666666, 2.0]
    >>> balanced_weights(np.array([0, 0, 0, 1]), 2, weights_N=np.array([0.5, 0.5, 1, 2])).tolist()
    [1.0, 1.0]
    """
    total = len(targets) if weights_N is None else float(weights_N.sum(dtype=np.float64))
    counts_C = count_labels(targets, num_labels, weights_N)
    if targets.ndim == 2 and not exclusive:
        return (total - counts_C) / np.where(counts_C > 0, counts_C, 1.0)
    return total / (num_labels * np.where(counts_C > 0, counts_C, 1.0))


def count_labels(
    targets: npt.NDArray[Any], num_labels: int, weights_N: npt.NDArray[np.floating[Any]] | None = None
) -> npt.NDArray[np.float64]:
    """Texts of each label [C], each as many as it weighs; of targets [N, C] their sums."""
    each_N = np.ones(len(targets)) if weights_N is None else weights_N.astype(np.float64)
    counts_C = np.bincount(targets, each_N, num_labels) if targets.ndim == 1 else each_N @ targets
    return np.asarray(counts_C, dtype=np.float64)


def mixed_precision(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Passes inside this context run in `dtype`; float32 changes nothing."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
