"""Log-odds F of a label by its calibrated probability p, log(p / (1 - p)): the number that is explained.

With z the logits over the temperature, F is z_c of a multi-label network, and z_c - log(sum of exp z_k over the other
labels) else. It adds up where a probability saturates, and 0 is even.

F(1) is that of a text. A straight path leads to it from F(0), no text: every embedding is scaled by α from 0 to 1, and
the logits of the n-grams too.

Shape suffixes: T time steps, B batch, E embedding, C labels, N texts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.batch import Ids, lengths_of, map_batches
from model.config import Task
from model.network import RecurrentClassifier
from model.padding import LENGTH_STEP, pad
from model.probabilities import probabilities
from model.temperature import Temperature

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
"""Label explained of each text, as its place among the labels."""

MAX_BATCH_TOKENS = 4096
"""Padded tokens computed at once; with their gradients they take about 100 MB in a network of 256 units."""


class LogOdds:
    """F of a network, and its gradients.

    Args:
        network: in float32; no gradient flows to its weights from now on.
        task: of its checkpoint.
        temperature: of its checkpoint.
        device: where it is.
    """

    def __init__(
        self, network: RecurrentClassifier, task: Task, temperature: Temperature, device: torch.device
    ) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        # cuDNN has no backward pass for layers in evaluation mode; nothing is dropped all the same.
        network.encoder.layers.train()
        self._temperature = temperature
        self._task: Task = task
        self._device = device

    def logits(self, rows: Sequence[Ids], scales_N: Floats | None = None) -> Floats:
        """Logits [N, C] over the temperature, at the point `scales_N` (α) of each text's path, by default its end."""
        at_N = np.ones(len(rows)) if scales_N is None else scales_N

        def compute(batch: npt.NDArray[np.int64]) -> Floats:
            ids = [rows[i] for i in batch]
            x_TBE, bag_BC, lengths_B = self._embed(ids)
            scales_B1 = self._on_device(at_N[batch]).float().unsqueeze(1)
            logits_BC = self.network.from_embedded(x_TBE * scales_B1, lengths_B) + bag_BC * scales_B1
            return self._calibrated(logits_BC, ids).cpu().numpy()

        width, most = self.network.head.out_features, MAX_BATCH_TOKENS
        with torch.inference_mode():
            return map_batches(compute, lengths_of(rows), width=width, max_tokens=most, max_rows=most, dtype=np.float64)

    def probabilities(self, logits_NC: Floats) -> Floats:
        """Calibrated probabilities [..., C], as those of `model.classifier.Classifier`."""
        return probabilities(logits_NC, task=self._task)

    def of_logits(self, logits_BC: Tensor, labels_B: Tensor) -> Tensor:
        """F [B] of logits over the temperature."""
        chosen_B1 = labels_B.unsqueeze(1)
        value_B = logits_BC.gather(1, chosen_B1).squeeze(1)
        if self._task == "multi_label":
            return value_B
        return value_B - logits_BC.scatter(1, chosen_B1, float("-inf")).logsumexp(1)

    def values(self, rows: Sequence[Ids], labels_N: Labels, scales_N: Floats | None = None) -> Floats:
        """F [N] at the point `scales_N` (α) of each text's path; by default F(1)."""
        logits_NC = torch.from_numpy(self.logits(rows, scales_N))
        return self.of_logits(logits_NC, torch.from_numpy(labels_N)).numpy()

    def gradients(self, rows: Sequence[Ids], labels_B: Labels, scales_B: Floats) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of F at one point, α of `scales_B`, of each row's path.

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
        value = self.of_logits(self._calibrated(logits_BC, rows), self._on_device(labels_B)).sum()
        by_x_TBE, by_logits_BC = torch.autograd.grad(value, [scaled_TBE, logits_BC])
        return x_TBE, by_x_TBE, by_logits_BC

    def _embed(self, rows: Sequence[Ids]) -> tuple[Tensor, Tensor, Tensor]:
        """Embedded texts [T, B, E], the logits of their n-grams [B, C] and their lengths [B]."""
        padded = pad(rows, multiple_of=LENGTH_STEP).to(self._device)
        x_TBE = self.network.embed(padded.ids_TB)
        if self.network.ngrams is None:
            return x_TBE, x_TBE.new_zeros(len(rows), self.network.head.out_features), padded.lengths_B
        return x_TBE, self.network.ngrams(padded.ids_TB, padded.lengths_B), padded.lengths_B

    def _calibrated(self, logits_BC: Tensor, rows: Sequence[Ids]) -> Tensor:
        """Logits over the temperature of their texts, the same at every point of a path."""
        return logits_BC / self._on_device(self._temperature.of(rows)).to(logits_BC.dtype)

    def _on_device(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self._device)


def occlusions(odds: LogOdds, ids: Ids, parts: Sequence[range], label: int) -> Floats:
    """F of a text less F of the same without each of some runs of its tokens, [len(parts)]."""
    rows = [ids, *(np.concatenate([ids[: part.start], ids[part.stop :]]) for part in parts)]
    values = odds.values(rows, np.full(len(rows), label, dtype=np.int64))
    return np.asarray(values[0] - values[1:])
