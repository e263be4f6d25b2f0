"""The training loop: batches in, best weights out, resumable at any step.

Shape suffixes: N examples, C labels, T time steps, B batch.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from model.batch import Ids, pad, plan_batches
from model.config import Frozen
from model.network import LstmClassifier
from training.batches import epoch_batches
from training.objective import CrossEntropy, Loss, Objective, Supervised, balanced_weights
from training.optimizer import RowAdamW, average_into, clip_gradients, learning_rate_at
from training.state import Position, read_state, write_state

AVERAGE_EVERY = 8
"""Steps between updates of the average, with the decay raised to this power: averaging the whole embedding at every
step costs as much as the step."""

SMALLEST_BATCH = 8
"""Rows below which a batch is not made smaller for the sake of more steps."""


class LoopConfig(Frozen):
    """How the weights are found.

    Attributes:
        epochs: at most this many passes; the learning rate reaches its floor at the end of the last.
        batch_tokens: padded tokens of a batch, at most.
        batch_rows: texts of a batch, at most.
        min_steps: of an epoch; a small set gets smaller batches for it, down to `SMALLEST_BATCH` rows.
        learning_rate: peak.
        warmup: share of all steps in which the rate rises.
        weight_decay: of matrices; not of biases or the embedding.
        clip_norm: bound on the gradient's norm.
        average_decay: of the exponential average of the weights, per step; 0 turns it off.
        validations_per_epoch: how often the validation metric is read.
        patience: stop after this many readings without a better one.
        label_smoothing: share of the target spread over all labels (Szegedy et al. 2016, section 7).
        class_weights: `balanced` weights each label by N / (C * count).
        betas: of Adam.
    """

    epochs: Annotated[int, Field(ge=1)] = 10
    batch_tokens: Annotated[int, Field(ge=1)] = 4096
    batch_rows: Annotated[int, Field(ge=1)] = 128
    min_steps: Annotated[int, Field(ge=1)] = 150
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    validations_per_epoch: Annotated[int, Field(ge=1)] = 2
    patience: Annotated[int, Field(ge=1)] = 8
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    betas: tuple[float, float] = (0.9, 0.98)


@dataclass(frozen=True)
class Examples:
    """Encoded texts and what they should be.

    Attributes:
        ids: N arrays of token ids.
        targets: int64 [N], or float32 [N, C] in 0..1 for multi-label or soft targets.
    """

    ids: list[Ids]
    targets: npt.NDArray[Any]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text."""
        return np.fromiter((len(row) for row in self.ids), dtype=np.int64, count=len(self.ids))


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for a person to watch."""

    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    tokens_per_s: float
    seconds_left: float
    validation: float | None


Measure = Callable[[npt.NDArray[np.float32], npt.NDArray[Any]], float]
"""From logits [N, C] and targets to a score; higher is better."""


class Trainer:
    """Fits a network; `run` until it returns True, then `network` holds the best weights.

    Args:
        network: fresh or partly trained; changed in place.
        train, validation: examples; only `train` gives gradients, only `validation` picks the weights.
        config: how.
        measure: the validation score to be maximised.
        seed: of shuffling and dropout.
        device: where; the network is moved there.
        loss: of the labelled texts; if None, the cross-entropy of the targets.
        objective: makes of that loss what is minimised; if nothing else is said, it is the loss itself.
    """

    def __init__(
        self,
        network: LstmClassifier,
        train: Examples,
        validation: Examples,
        config: LoopConfig,
        *,
        measure: Measure,
        seed: int,
        device: torch.device,
        loss: Loss | None = None,
        objective: Callable[[Loss], Objective] = Supervised,
    ) -> None:
        self.network = network.to(device)
        self.config = config
        self.train, self.validation = train, validation
        self._train_lengths, self._validation_lengths = (
            train.lengths,
            validation.lengths,
        )
        self._measure, self._seed, self._device = measure, seed, device
        self._average = copy.deepcopy(self.network)
        self._best = {name: w.detach().clone() for name, w in self.network.state_dict().items()}
        self._optimizer = RowAdamW(
            self.network.parameters(),
            betas=config.betas,
            weight_decay=config.weight_decay,
        )
        self._objective = objective(loss or _cross_entropy(train.targets, network.head.out_features, config, device))
        self._position = Position()
        self._steps_per_epoch = len(self._batches(0))
        torch.manual_seed(seed)

    @property
    def history(self) -> list[dict[str, float]]:
        """One entry a reading: step, epoch, loss, validation, learning_rate, seconds."""
        return self._position.history

    @property
    def total_steps(self) -> int:
        """Steps if nothing stops early (batches differ by a few between epochs)."""
        return self._steps_per_epoch * self.config.epochs

    @property
    def tokens_per_s(self) -> float:
        """Training rate so far, real tokens a second, readings of the validation metric included."""
        return self._position.tokens / max(self._position.seconds, 1e-9)

    @property
    def num_tokens(self) -> int:
        """Tokens trained on so far, padding not counted."""
        return self._position.tokens

    @property
    def seconds(self) -> float:
        """Time spent in `run` so far, over all resumptions."""
        return self._position.seconds

    @property
    def best(self) -> float | None:
        """The best validation score so far."""
        return self._position.best

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Trains to the end or until `should_stop()`.

        Returns:
            True when finished: the network then holds the weights of the best reading. False when stopped:
            `save_state` and
            `load_state` continue as if nothing had happened.
        """
        position = self._position
        began, seconds_before = time.perf_counter(), position.seconds
        while not position.finished and position.epoch < self.config.epochs:
            batches = self._batches(position.epoch)
            readings = _reading_points(len(batches), self.config.validations_per_epoch)
            while position.batch < len(batches) and not position.finished:
                loss = self._step(batches[position.batch])
                position.batch += 1
                position.seconds = seconds_before + time.perf_counter() - began
                if position.batch in readings:
                    self._read_validation()
                report(self._progress(loss))
                if should_stop():
                    return False
            if not position.finished:
                position.epoch, position.batch = position.epoch + 1, 0
        position.finished = True
        self.network.load_state_dict(self._best)
        return True

    def save_state(self, directory: Path) -> None:
        """Writes everything that `load_state` needs to go on exactly where this trainer stands."""
        write_state(directory, dict(self._tensors()), self._position, self._optimizer.step_count, self._device)

    def load_state(self, directory: Path) -> None:
        """Takes up what `save_state` wrote, for the same data and configuration.

        Raises:
            OSError, safetensors.SafetensorError: there is no usable state.
        """
        self._position, self._optimizer.step_count = read_state(directory, dict(self._tensors()), self._device)

    def logits(self, examples: Examples, network: LstmClassifier | None = None) -> npt.NDArray[np.float32]:
        """Logits [N, C] of `examples` in evaluation mode, in their order."""
        network = (network or self.network).eval()
        result = np.zeros((len(examples.ids), network.head.out_features), dtype=np.float32)
        with torch.inference_mode():
            for batch in plan_batches(examples.lengths, max_tokens=8192, max_rows=512):
                padded = pad([examples.ids[i] for i in batch]).to(self._device)
                result[batch] = network(padded.ids_TB, padded.lengths_B).float().cpu().numpy()
        return result

    def _batches(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        config = self.config
        small_set_rows = max(SMALLEST_BATCH, len(self._train_lengths) // config.min_steps)
        return epoch_batches(
            self._train_lengths,
            max_tokens=config.batch_tokens,
            max_rows=min(config.batch_rows, small_set_rows),
            seed=self._seed,
            epoch=epoch,
        )

    def _step(self, rows: npt.NDArray[np.int64]) -> float:
        position, config = self._position, self.config
        self.network.train()
        padded = pad([self.train.ids[i] for i in rows]).to(self._device)
        loss = self._objective(self.network, padded, rows, position.step)
        loss.backward()
        clip_gradients(self.network.parameters(), config.clip_norm)
        self._optimizer.step(self._learning_rate())
        position.step += 1
        if config.average_decay and position.step % AVERAGE_EVERY == 0:
            # The warm-up of the decay keeps the random start from lingering in the average.
            decay = min(config.average_decay, (1 + position.step) / (10 + position.step))
            average_into(self._average, self.network, decay**AVERAGE_EVERY)
        value = float(loss.detach())
        position.tokens += int(self._train_lengths[rows].sum())
        position.loss_sum += value
        position.loss_steps += 1
        return value

    def _learning_rate(self) -> float:
        total = self.total_steps
        warmup_steps = max(1, round(self.config.warmup * total))
        return learning_rate_at(
            self._position.step,
            peak=self.config.learning_rate,
            warmup_steps=warmup_steps,
            total_steps=total,
        )

    def _read_validation(self) -> None:
        position, config = self._position, self.config
        candidate = self._average if config.average_decay else self.network
        score = self._measure(self.logits(self.validation, candidate), self.validation.targets)
        position.history.append(
            {
                "step": position.step,
                "epoch": position.epoch + position.batch / self._steps_per_epoch,
                "loss": position.loss_sum / max(1, position.loss_steps),
                "validation": score,
                "learning_rate": self._learning_rate(),
                "seconds": position.seconds,
            }
        )
        position.loss_sum, position.loss_steps = 0.0, 0
        if position.best is None or score > position.best:
            position.best, position.readings_without_gain = score, 0
            self._best = {name: w.detach().clone() for name, w in candidate.state_dict().items()}
        else:
            position.readings_without_gain += 1
            position.finished = position.readings_without_gain >= config.patience

    def _progress(self, loss: float) -> Progress:
        position = self._position
        left = (self.total_steps - position.step) * position.seconds / max(1, position.step)
        return Progress(
            step=position.step,
            total_steps=self.total_steps,
            epoch=position.epoch + position.batch / self._steps_per_epoch,
            loss=loss,
            learning_rate=self._learning_rate(),
            tokens_per_s=self.tokens_per_s,
            seconds_left=max(0.0, left),
            validation=position.history[-1]["validation"] if position.history else None,
        )

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the state under its name, for saving and for filling in."""
        for prefix, tensors in (
            ("network", self.network.state_dict()),
            ("average", self._average.state_dict()),
            ("best", self._best),
        ):
            for name, tensor in tensors.items():
                yield f"{prefix}.{name}", tensor
        for name, tensor in self._optimizer.tensors():
            yield f"optimizer.{name}", tensor


def _reading_points(num_batches: int, readings: int) -> set[int]:
    """After which batches of an epoch the validation metric is read; the last one always."""
    return {max(1, round(num_batches * (i + 1) / readings)) for i in range(readings)}


def _cross_entropy(
    targets: npt.NDArray[Any], num_labels: int, config: LoopConfig, device: torch.device
) -> CrossEntropy:
    weights_C = balanced_weights(targets, num_labels) if config.class_weights == "balanced" else None
    return CrossEntropy(targets, weights_C=weights_C, label_smoothing=config.label_smoothing, device=device)
