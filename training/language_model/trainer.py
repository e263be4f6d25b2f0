"""The training loop of the language models: batches of windows in, the weights of the lowest perplexity out.

Shape suffixes: N predictions, V vocabulary.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from model.batch import Ids, lengths_of, pad, plan_batches
from training.fit.objective import Rows, mixed_precision
from training.fit.steps import Steps, copies
from training.language_model.model import LanguageModel, Reading

SOFTMAX_ROWS = 1024
"""Predictions whose logits over the whole vocabulary are held at once when measuring."""

MEASURING_TOKENS = 8192
"""Padded tokens of a batch when measuring."""


class LanguageTrainer(Steps):
    """Fits a language model; `run` until it returns True, then `model` holds the best weights.

    Args:
        model: fresh; changed in place.
        train, validation: windows of at least two tokens.
        seed: of shuffling, dropout and drawn tokens.
        device: where; the model is moved there.
        dtype: number format of the passes; None is the fastest of the device.
    """

    def __init__(
        self,
        model: LanguageModel,
        train: list[Ids],
        validation: list[Ids],
        *,
        seed: int,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(model, lengths_of(train), model.loop, seed=seed, device=device, dtype=dtype)
        self.model, self.train, self.validation = model, train, validation
        self._best = copies(model.state_dict())
        torch.manual_seed(seed)

    def _loss(self, rows: Rows) -> Tensor:
        self.model.train()
        padded = pad([self.train[i] for i in rows]).to(self._device)
        with mixed_precision(self._device, self._dtype):
            loss: Tensor = self.model(padded.ids_TB, padded.lengths_B)
        return loss

    def _read_validation(self) -> None:
        score = perplexity(self.model, self.validation, self._device)[0]
        self._note_reading(score)
        if self.best is None or score < self.best:
            self._position.best = score
            self._best = copies(self.model.state_dict())

    def _restore_best(self) -> None:
        self.model.load_state_dict(self._best)

    def _tensors(self) -> dict[str, Mapping[str, Tensor]]:
        return {"model": self.model.state_dict(), "best": self._best}


def perplexity(model: LanguageModel, windows: Sequence[Ids], device: torch.device) -> tuple[float, ...]:
    """exp of the mean -log p over the whole vocabulary: of all directions together, then of each, forward first."""
    model.eval()
    sums = [0.0] * len(model.projections)
    num_predictions = sum(len(window) - 1 for window in windows)
    with torch.inference_mode():
        for batch in plan_batches(lengths_of(windows), max_tokens=MEASURING_TOKENS, max_rows=512):
            padded = pad([windows[i] for i in batch]).to(device)
            for direction, reading in enumerate(model.read(padded.ids_TB, padded.lengths_B)):
                sums[direction] += sum(float(model.losses(part).double().sum()) for part in _parts(reading))
    means = [total / num_predictions for total in sums]
    return tuple(math.exp(mean) for mean in (sum(means) / len(means), *means))


def _parts(reading: Reading) -> Iterator[Reading]:
    pairs = zip(reading.outputs_NE.split(SOFTMAX_ROWS), reading.targets_N.split(SOFTMAX_ROWS), strict=True)
    return (Reading(outputs_NE, targets_N, reading.penalty) for outputs_NE, targets_N in pairs)


def count_tokens(windows: Sequence[Ids], vocab_size: int) -> Tensor:
    """Occurrences of each token in the windows, [V]."""
    return torch.from_numpy(np.bincount(np.concatenate(windows), minlength=vocab_size))
