"""The training loop of the language models: batches of windows in, the weights of the lowest validation loss out.

Shape suffixes: N predictions, V vocabulary.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from model.batch import Ids, lengths_of, plan_batches
from model.padding import pad
from training.errors import DivergedError
from training.fit.objective import Rows, mixed_precision
from training.fit.steps import Steps, copies
from training.language_model.config import VectorsConfig
from training.language_model.model import LanguageModel, Reading
from training.language_model.sentence_loss import SentenceLoss
from training.language_model.targets import Targets

SOFTMAX_ROWS = 1024
"""Predictions whose logits over the whole vocabulary are held at once when measuring."""

MEASURING_TOKENS = 8192
"""Padded tokens of a batch when measuring."""

LARGEST_LOSS = 700.0
"""Nats a token, above which e to their power is no number."""


@dataclass(frozen=True, slots=True)
class Imitation:
    """Sentence vectors of the windows, by encoder.

    Attributes:
        config: for the weights.
        train, validation: one for each encoder, in the same order.
    """

    config: VectorsConfig
    train: Sequence[Targets]
    validation: Sequence[Targets]


class LanguageTrainer(Steps):
    """Fits a language model; `run` until it returns True, then `model` holds the best weights.

    The best are those of the lowest perplexity, or with an imitation of the lowest loss: the logarithm of the
    perplexity and the distance from the vectors, weighted.

    Args:
        model: fresh; changed in place.
        train, validation: windows of at least two tokens.
        seed: of shuffling, dropout and drawn tokens.
        device: where; the model is moved there.
        dtype: number format of the passes; None is the fastest of the device.
        imitation: sentence vectors to be learned beside the words.
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
        imitation: Imitation | None = None,
    ) -> None:
        self.imitation, self.sentences = imitation, None
        network: nn.Module = model
        if imitation is not None:
            widths = [targets.width for targets in imitation.train]
            self.sentences = SentenceLoss(model.pooled_size, widths, imitation.config)
            network = nn.ModuleList([model, self.sentences])
        super().__init__(network, lengths_of(train), model.loop, seed=seed, device=device, dtype=dtype)
        self.model, self.train, self.validation = model, train, validation
        self._network, self._best = network, copies(network.state_dict())
        torch.manual_seed(seed)

    def _loss(self, rows: Rows) -> Tensor:
        self.model.train()
        padded = pad([self.train[i] for i in rows]).to(self._device)
        with mixed_precision(self._device, self._dtype):
            if self.imitation is None or self.sentences is None:
                loss: Tensor = self.model(padded.ids_TB, padded.lengths_B)
                return loss
            readings = self.model.read(padded.ids_TB, padded.lengths_B)
            pooled_BP = self.model.pooled(readings, padded.lengths_B)
            distance: Tensor = self.sentences(pooled_BP, self.imitation.train, rows)
            language = self.model.loss(readings, weight=self.imitation.config.language)
            return language + self.imitation.config.weight * distance

    def _read_validation(self) -> None:
        score = perplexity(self.model, self.validation, self._device)[0]
        if self.imitation is not None:
            distance = self._imitated()[0]
            score = self.imitation.config.language * math.log(score) + self.imitation.config.weight * distance
        self._note_reading(score)
        if self.best is None or score < self.best:
            self._position.best = score
            self._best = copies(self._network.state_dict())

    def stored(self) -> dict[str, Tensor]:
        """The weights under the names that a folder gives them, the maps to sentence vectors among them."""
        return self.model.stored() | ({} if self.sentences is None else self.sentences.stored())

    def cosines(self) -> list[float]:
        """The mean cosine of the validation texts' vectors to those of each encoder."""
        return self._imitated()[1]

    def _imitated(self) -> tuple[float, list[float]]:
        """Mean loss against the vectors of the validation texts, and the mean cosine to those of each encoder."""
        if self.imitation is None or self.sentences is None:
            return 0.0, []
        self.model.eval()
        loss, targets = 0.0, self.imitation.validation
        cosines = [0.0] * len(targets)
        with torch.inference_mode():
            for batch in plan_batches(lengths_of(self.validation), max_tokens=MEASURING_TOKENS, max_rows=512):
                padded = pad([self.validation[i] for i in batch]).to(self._device)
                pooled_BP = self.model.pooled(self.model.read(padded.ids_TB, padded.lengths_B), padded.lengths_B)
                loss += float(self.sentences(pooled_BP, targets, batch)) * len(batch)
                for place, (ours_nD, theirs_nD) in enumerate(self.sentences.pairs(pooled_BP, targets, batch)):
                    cosines[place] += float((ours_nD * theirs_nD).sum())
        means = [total / max(1, target.count) for total, target in zip(cosines, targets, strict=True)]
        return loss / len(self.validation), means

    def _restore_best(self) -> None:
        self._network.load_state_dict(self._best)

    def _tensors(self) -> dict[str, Mapping[str, Tensor]]:
        return {"model": self._network.state_dict(), "best": self._best}


def perplexity(model: LanguageModel, windows: Sequence[Ids], device: torch.device) -> tuple[float, ...]:
    """exp of the mean -log p over the whole vocabulary: of all directions together, then of each, forward first.

    Raises:
        DivergedError: it is beyond all numbers.
    """
    model.eval()
    sums = [0.0] * len(model.projections)
    num_predictions = sum(len(window) - 1 for window in windows)
    with torch.inference_mode():
        for batch in plan_batches(lengths_of(windows), max_tokens=MEASURING_TOKENS, max_rows=512):
            padded = pad([windows[i] for i in batch]).to(device)
            for direction, reading in enumerate(model.read(padded.ids_TB, padded.lengths_B)):
                sums[direction] += sum(float(model.losses(part).double().sum()) for part in _parts(reading))
    means = [total / num_predictions for total in sums]
    if not max(means) < LARGEST_LOSS:
        raise DivergedError(
            f"a validation loss of {max(means):.4g} nats a token. Most often the learning rate is too high: it is "
            f"{model.loop.learning_rate:.3g} at its peak, try a third of it"
        )
    return tuple(math.exp(mean) for mean in (sum(means) / len(means), *means))


def _parts(reading: Reading) -> Iterator[Reading]:
    pairs = zip(reading.outputs_NE.split(SOFTMAX_ROWS), reading.targets_N.split(SOFTMAX_ROWS), strict=True)
    return (replace(reading, outputs_NE=outputs_NE, targets_N=targets_N) for outputs_NE, targets_N in pairs)


def count_tokens(windows: Sequence[Ids], vocab_size: int) -> Tensor:
    """Occurrences of each token in the windows, [V]."""
    return torch.from_numpy(np.bincount(np.concatenate(windows), minlength=vocab_size))
