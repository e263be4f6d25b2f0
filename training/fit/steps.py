"""Steps in epochs, readings between them, and a state that can be saved at any step: what all training shares."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from model.config import Frozen
from model.device import fastest_dtype
from training.errors import DivergedError
from training.fit.batches import Lengths, Order, epoch_batches
from training.fit.objective import Rows
from training.fit.optimizer import RowAdamW, clip_gradients, learning_rate_at
from training.fit.parallel import ALONE, Processes
from training.fit.state import Position, read_state, write_state
from training.provenance import describe_machine

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class StepsConfig(Frozen):
    """Settings that every training has.

    Attributes:
        epochs: passes, at most; the learning rate reaches its floor at the end of the last.
        batch_tokens: padded tokens of a batch, at most.
        batch_rows: texts of a batch, at most.
        learning_rate: peak.
        warmup: share of all steps in which the rate rises.
        weight_decay: of matrices; not of biases, nor of what has sparse gradients, as the embedding.
        clip_norm: bound on the gradient's norm.
        validations_per_epoch: how often the validation score is read.
        betas: of Adam.
    """

    epochs: Count = 10
    batch_tokens: Count = 4096
    batch_rows: Count = 128
    learning_rate: Positive = 3e-3
    warmup: Share = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Positive = 1.0
    validations_per_epoch: Count = 2
    betas: tuple[float, float] = (0.9, 0.98)


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for a person to watch."""

    step: int
    total_steps: int
    epoch: float
    loss: float
    tokens_per_s: float
    seconds_left: float


class Steps(ABC):
    """Runs the steps of a training, which a subclass takes; `run` until it returns True, then the best weights are in.

    Args:
        network: whose parameters are trained; moved to the device.
        lengths: tokens of each training row.
        config: how long, and how fast.
        seed: of the order of the batches.
        device: where the weights are.
        processes: that train together; each runs the same steps.
        dtype: number format of the passes; None is the fastest of the device.
        factors: of each parameter's learning rate; None is 1 for all.
    """

    def __init__(
        self,
        network: nn.Module,
        lengths: Lengths,
        config: StepsConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes = ALONE,
        dtype: torch.dtype | None = None,
        factors: Sequence[float] | None = None,
    ) -> None:
        self._parameters = list(network.to(device).parameters())
        self._optimizer = RowAdamW(
            self._parameters, betas=config.betas, weight_decay=config.weight_decay, factors=factors
        )
        self._lengths, self._schedule, self._seed, self._device = lengths, config, seed, device
        self.processes = processes
        self._dtype = dtype or fastest_dtype(device)
        self._position = Position()
        self._max_rows = config.batch_rows

    @abstractmethod
    def _loss(self, rows: Rows) -> Tensor:
        """The loss of a batch in training mode, a scalar; of several processes its value is the same in all."""

    @abstractmethod
    def _read_validation(self) -> None:
        """Adds a reading to the history, and keeps the weights if they are the best."""

    @abstractmethod
    def _restore_best(self) -> None:
        """Puts the weights of the best reading into the network."""

    @abstractmethod
    def _tensors(self) -> dict[str, Mapping[str, Tensor]]:
        """Every tensor of the state but the optimizer's by group and name, for saving and for filling in."""

    def _batches(self, epoch: int) -> Order:
        return epoch_batches(
            self._lengths,
            max_tokens=self._schedule.batch_tokens,
            max_rows=self._max_rows,
            seed=self._seed,
            epoch=epoch,
        )

    def _step(self, rows: Rows) -> float:
        """Learns from a batch and returns its loss.

        Raises:
            DivergedError: a gradient is not finite; nothing has moved.
        """
        loss = self._loss(rows)
        loss.backward()
        self.processes.sum_gradients(self._parameters)
        norm, rate = float(clip_gradients(self._parameters, self._schedule.clip_norm)), self._learning_rate()
        value, position = float(loss.detach()), self._position
        if not math.isfinite(norm):
            epoch = position.epoch + position.batch / self._steps_per_epoch
            raise DivergedError(
                f"step {position.step + 1} (epoch {epoch:.2f}): the gradient is not finite, at a loss of "
                f"{value:.4g}. Most often the learning rate is too high: it is {rate:.3g}, try a third of it"
            )
        self._optimizer.step(rate)
        position.step += 1
        position.tokens += int(self._lengths[rows].sum())
        position.loss_sum += value
        position.loss_steps += 1
        return value

    @property
    def history(self) -> list[dict[str, float]]:
        """One entry a reading: step, epoch, loss, validation, learning_rate, seconds."""
        return self._position.history

    @cached_property
    def _steps_per_epoch(self) -> int:
        return len(self._batches(0))

    @property
    def total_steps(self) -> int:
        """Steps if nothing stops early (batches differ by a few between epochs)."""
        return self._steps_per_epoch * self._schedule.epochs

    @property
    def tokens_per_s(self) -> float:
        """Training rate so far, real tokens a second, readings of the validation score included."""
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

    def effort(self) -> dict[str, Any]:
        """Time, steps and machine so far, by their fields in a record."""
        on_cuda = self._device.type == "cuda"
        return {
            "seconds": self.seconds,
            "tokens_per_s": self.tokens_per_s,
            "steps": int(self.history[-1]["step"]),
            "device": torch.cuda.get_device_name(self._device) if on_cuda else self._device.type,
            "threads": torch.get_num_threads(),
            "machine": describe_machine(),
            "history": self.history,
        }

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Trains to the end or until `should_stop()`, which of several processes must tell all the same.

        Returns:
            True when finished: the network then holds the weights of the best reading. False when stopped:
            `save_state` and `load_state` continue as if nothing had happened.

        Raises:
            DivergedError: a gradient is not finite; the state is that before the step.
        """
        self.processes.copy_from_first(self._all_tensors().values())
        position = self._position
        began, seconds_before = time.perf_counter(), position.seconds
        while not position.finished and position.epoch < self._schedule.epochs:
            batches = self._batches(position.epoch)
            readings = _reading_points(len(batches), self._schedule.validations_per_epoch)
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
        self._restore_best()
        return True

    def save_state(self, directory: Path) -> None:
        """Writes everything that `load_state` needs to go on, exactly with as many processes.

        All processes call it, and the first writes.
        """
        steps = self._optimizer.step_count
        write_state(directory, self._all_tensors(), self._position, steps, self._device, self.processes)

    def load_state(self, directory: Path) -> None:
        """Takes up what `save_state` wrote, for the same data and configuration, with any number of processes.

        Raises:
            OSError, safetensors.SafetensorError: there is no usable state.
        """
        self._position, self._optimizer.step_count = read_state(
            directory, self._all_tensors(), self._device, self.processes, self._seed
        )

    def _all_tensors(self) -> dict[str, Tensor]:
        groups = {**self._tensors(), "optimizer": dict(self._optimizer.tensors())}
        return {f"{group}.{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}

    def _learning_rate(self) -> float:
        total = self.total_steps
        warmup_steps = max(1, round(self._schedule.warmup * total))
        return learning_rate_at(
            self._position.step, peak=self._schedule.learning_rate, warmup_steps=warmup_steps, total_steps=total
        )

    def _note_reading(self, score: float) -> None:
        """Adds `score` to the history and begins a new mean of the loss."""
        position = self._position
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

    def _progress(self, loss: float) -> Progress:
        position = self._position
        left = (self.total_steps - position.step) * position.seconds / max(1, position.step)
        return Progress(
            step=position.step,
            total_steps=self.total_steps,
            epoch=position.epoch + position.batch / self._steps_per_epoch,
            loss=loss,
            tokens_per_s=self.tokens_per_s,
            seconds_left=max(0.0, left),
        )


def copies(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the weights, to be kept while training goes on."""
    return {name: weight.detach().clone() for name, weight in weights.items()}


def _reading_points(num_batches: int, readings: int) -> set[int]:
    """After which batches of an epoch the validation score is read; the last one always."""
    return {max(1, round(num_batches * (i + 1) / readings)) for i in range(readings)}
