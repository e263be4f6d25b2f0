"""Steps in epochs, readings between them, and a state that can be saved at any step: what all training shares."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.device import fastest_dtype
from training.errors import DivergedError
from training.fit.batches import Order
from training.fit.optimizer import RowAdamW, clip_gradients, learning_rate_at
from training.fit.parallel import ALONE, Processes
from training.fit.state import Position, read_state, write_state
from training.provenance import describe_machine


class Schedule(Protocol):
    """Length and learning rate of a training; see `training.fit.trainer.LoopConfig`."""

    @property
    def epochs(self) -> int:
        """Passes over the data, at most."""
        ...

    @property
    def learning_rate(self) -> float:
        """The peak of the learning rate."""
        ...

    @property
    def warmup(self) -> float:
        """Share of all steps in which the rate rises."""
        ...

    @property
    def validations_per_epoch(self) -> int:
        """Readings of the validation score in an epoch."""
        ...


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
        schedule: how long, and how fast.
        optimizer: whose steps and moments belong to the state.
        device: where the weights are.
        processes: that train together; each runs the same steps.
        dtype: number format of the passes; None is the fastest of the device.
    """

    def __init__(
        self,
        schedule: Schedule,
        optimizer: RowAdamW,
        device: torch.device,
        processes: Processes = ALONE,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._schedule, self._optimizer, self._device = schedule, optimizer, device
        self.processes = processes
        self._dtype = dtype or fastest_dtype(device)
        self._position = Position()

    @abstractmethod
    def _batches(self, epoch: int) -> Order:
        """The batches of an epoch; the same at each call."""

    @abstractmethod
    def _step(self, rows: npt.NDArray[np.int64]) -> float:
        """Learns from a batch, counts the step, its tokens and its loss in the position, and returns the loss."""

    @abstractmethod
    def _read_validation(self) -> None:
        """Adds a reading to the history, and keeps the weights if they are the best."""

    @abstractmethod
    def _restore_best(self) -> None:
        """Puts the weights of the best reading into the network."""

    @abstractmethod
    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the state but the optimizer's under its name, for saving and for filling in."""

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
        """Writes everything that `load_state` needs to go on exactly where this training stands.

        All processes call it, and the first writes.
        """
        steps = self._optimizer.step_count
        write_state(directory, self._all_tensors(), self._position, steps, self._device, self.processes)

    def load_state(self, directory: Path) -> None:
        """Takes up what `save_state` wrote, for the same data and configuration.

        Raises:
            OSError, safetensors.SafetensorError: there is no usable state.
            UsageError: the state is that of more or fewer processes.
        """
        self._position, self._optimizer.step_count = read_state(
            directory, self._all_tensors(), self._device, self.processes
        )

    def _all_tensors(self) -> dict[str, Tensor]:
        return dict(self._tensors()) | {f"optimizer.{name}": tensor for name, tensor in self._optimizer.tensors()}

    def _descend(self, parameters: Iterable[nn.Parameter], clip_norm: float, loss: Tensor) -> float:
        """Moves the parameters by their gradients, which are clipped first.

        Returns:
            The loss as a number.

        Raises:
            DivergedError: a gradient is not finite; nothing has moved.
        """
        norm, rate, value = clip_gradients(parameters, clip_norm), self._learning_rate(), float(loss.detach())
        if not math.isfinite(norm):
            epoch = self._position.epoch + self._position.batch / self._steps_per_epoch
            raise DivergedError(
                f"step {self._position.step + 1} (epoch {epoch:.2f}): the gradient is not finite, at a loss of "
                f"{value:.4g}. Most often the learning rate is too high: it is {rate:.3g}, try a third of it"
            )
        self._optimizer.step(rate)
        return value

    def _learning_rate(self) -> float:
        total = self.total_steps
        warmup_steps = max(1, round(self._schedule.warmup * total))
        return learning_rate_at(
            self._position.step, peak=self._schedule.learning_rate, warmup_steps=warmup_steps, total_steps=total
        )

    def _count_step(self, num_tokens: int, loss: float) -> None:
        position = self._position
        position.step += 1
        position.tokens += num_tokens
        position.loss_sum += loss
        position.loss_steps += 1

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


def _reading_points(num_batches: int, readings: int) -> set[int]:
    """After which batches of an epoch the validation score is read; the last one always."""
    return {max(1, round(num_batches * (i + 1) / readings)) for i in range(readings)}
