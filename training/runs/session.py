"""One run of train, distill or pretrain: its surroundings, and the steps that all three share."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from pydantic import BaseModel
from rich.console import Console
from safetensors import SafetensorError
from tokenizers import Tokenizer

from model.device import resolve_device
from training.artifacts.run_folder import RunFolder, has_state
from training.errors import DivergedError, UsageError
from training.fit.parallel import ALONE, Processes
from training.fit.progress import format_duration, show_progress
from training.fit.steps import Progress, Steps
from training.fit.trainer import Place
from training.interrupt import StopRequest
from training.tracking.run_log import RunLogs


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A run's output, device and processes, and the stop and clock that it obeys.

    Attributes:
        output: the folder to write; until it is finished the run stands in `RunFolder(output)`.
        console: for a person to watch.
        resume: continues the run of the run folder.
        device: as of `--device`.
        processes: train together; the first prints, saves and publishes.
        interrupt: opens a context whose value becomes true when the run should stop.
        clock: seconds, never decreasing.
        save_every_s: seconds between two saved states, which bounds what a failing machine loses.
        dtype: number format of training passes; None is the fastest of the device.
        log: what `--log` asks for; of several processes the first has one.
    """

    output: Path
    console: Console
    resume: bool = False
    device: str = "auto"
    processes: Processes = ALONE
    interrupt: Callable[[], AbstractContextManager[object]] = StopRequest
    clock: Callable[[], float] = time.monotonic
    save_every_s: float = 300.0
    dtype: torch.dtype | None = None
    log: RunLogs = field(default_factory=RunLogs)

    @property
    def run(self) -> RunFolder:
        """The folder of the unfinished run."""
        return RunFolder(self.output)

    @property
    def place(self) -> Place:
        """The device, processes and number format of a trainer.

        Raises:
            ConfigError: the device is unknown or not there.
        """
        return {"device": resolve_device(self.device), "processes": self.processes, "dtype": self.dtype}

    def tokenizer(self, digests: dict[str, str], make: Callable[[], Tokenizer]) -> Tokenizer:
        """A new run's tokenizer from `make`, or that of the resumed run, whose data must be the same.

        Raises:
            UsageError: the digests of the data differ from those that the run began with.
        """
        if not self.resume:
            return make()
        self.run.check_digests(digests)
        return self.run.tokenizer()

    def begin(self, request: BaseModel, tokenizer: Tokenizer, digests: dict[str, str]) -> None:
        """Creates the folder of a new run; a resumed one has it."""
        if not self.resume:
            self.run.create(request, tokenizer, digests)

    def fit(self, trainer: Steps, *, metric: str, summary: str = "", part: str = "") -> bool:
        """Trains from the saved state, or from the first step, until the end or a stop; saves the state either way.

        Args:
            trainer: at its first step.
            metric: name of the validation score, for the lines that are printed.
            summary: printed before the first step, if there is something to say; the title of a part.
            part: subfolder of the run for the state of one of several trainers, which is not kept once it has finished.

        Returns:
            True if this process is to publish the trained network: training is finished and it is the first.

        Raises:
            UsageError: the saved state is damaged.
            DivergedError: a gradient is not finite; the state before that step is saved.
        """
        folder = self.run.path / part
        if self.resume and has_state(folder):
            _load_state(trainer, folder)
        resumed = f"; resumed after {format_duration(trainer.seconds)}" if trainer.seconds else ""
        if (said := (summary + resumed).removeprefix("; ")) and (resumed or not part):
            self.console.print(said, markup=False)
        readings = len(trainer.history)
        shown = show_progress(self.console, metric=metric, num_readings=readings, title=summary if part else "")
        with self.interrupt() as stop, shown as show:
            save = self._save_regularly(partial(trainer.save_state, folder))
            logged = 0  # readings from before a resumption are logged again, so that each log is whole

            def report(progress: Progress) -> None:
                nonlocal logged
                show(progress, trainer.history)
                self.log_readings(trainer.history[logged:], metric, part)
                logged = len(trainer.history)
                save()

            try:
                finished = trainer.run(report, lambda: self.processes.largest(bool(stop)) > 0)
            except DivergedError as error:
                trainer.save_state(folder)
                raise DivergedError(
                    f"{error}, and start anew with --overwrite. {folder} keeps the state before that"
                ) from error
        if not (part and finished):
            trainer.save_state(folder)
        return finished and self.processes.is_first

    def log_readings(self, readings: Sequence[Mapping[str, float]], metric: str, part: str = "") -> None:
        """Logs readings of a trainer's history, those of one of several trainers under its name."""
        head = f"{part}/" if part else ""
        for reading in readings:
            figures = {key: value for key, value in reading.items() if key not in ("step", "validation")}
            figures[f"validation/{metric}"] = reading["validation"]
            self.log.step(int(reading["step"]), {head + name: value for name, value in figures.items()})

    def _save_regularly(self, save: Callable[[], None]) -> Callable[[], None]:
        """`save`, but only once in `save_every_s`, at the same steps in every process."""

        def now() -> float:
            return self.processes.largest(self.clock())

        saved = now()

        def save_if_due() -> None:
            nonlocal saved
            if now() - saved >= self.save_every_s:
                save()
                saved = now()

        return save_if_due


def _load_state(trainer: Steps, folder: Path) -> None:
    try:
        trainer.load_state(folder)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{folder}: the saved state is damaged ({error}); start anew with --overwrite") from error
