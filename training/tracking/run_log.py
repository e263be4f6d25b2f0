"""The interface of a run's log, and the logs that `--log` asks for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol

from training.errors import UsageError


class RunLog(Protocol):
    """Writes settings and figures of one run. Any method may raise; see `RunLogs`."""

    def begin(self, settings: Mapping[str, object]) -> None:
        """Begins the run, or begins it again when it is resumed; `settings` are all of them, by dotted key."""

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes figures, by name, as they were after so many optimizer steps."""

    def end(self, figures: Mapping[str, float] | None) -> None:
        """Ends the run with the figures of its checkpoint; None for one that was stopped or has failed."""


class RunLogs:
    """Several logs as one. A log that raises is told of once and left alone from then on: training is what matters.

    Args:
        logs: by what a person calls them.
        warn: takes the sentence about a log that is left alone.
    """

    def __init__(self, logs: Mapping[str, RunLog] | None = None, warn: Callable[[str], None] = print) -> None:
        self._logs, self._warn, self._begun = dict(logs or {}), warn, False

    def begin(self, settings: Mapping[str, object]) -> None:
        """Begins the run in each log."""
        self._begun = True
        self._each(lambda log: log.begin(settings))

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes figures to each log."""
        self._each(lambda log: log.step(step, figures))

    def end(self, figures: Mapping[str, float] | None) -> None:
        """Ends the run in each log, once; without effect if it never began."""
        if self._begun:
            self._each(lambda log: log.end(figures))
            self._logs.clear()

    def _each(self, call: Callable[[RunLog], None]) -> None:
        for name, log in list(self._logs.items()):
            try:
                call(log)
            except Exception as error:  # of a server, a network or a disk, each library with classes of its own
                del self._logs[name]
                self._warn(
                    f"warning: --log {name}: {_first_line(error)}; the run goes on, and is no longer logged there"
                )


@contextmanager
def open_logs(specs: Sequence[str], run_name: str, warn: Callable[[str], None]) -> Iterator[RunLogs]:
    """Opens what `--log` names, and ends as stopped whatever has begun and not ended.

    Args:
        specs: each KIND:PLACE; see `KINDS`.
        run_name: of the run in the logs.
        warn: as of `RunLogs`.

    Raises:
        UsageError: the kind is unknown, its library is not installed, or the place cannot be used.
    """
    logs = RunLogs({spec: _open(spec, run_name) for spec in specs}, warn)
    try:
        yield logs
    finally:
        logs.end(None)


def _open(spec: str, run_name: str) -> RunLog:
    kind, _, place = spec.partition(":")
    if kind not in KINDS or not place:
        raise UsageError(f"--log {spec}: give tensorboard:FOLDER, or mlflow: and a folder or the address of a server")
    package, make = KINDS[kind]
    try:
        return make(place, run_name)
    except ModuleNotFoundError as error:
        if find_spec(kind) is not None:
            raise
        raise UsageError(f"--log {spec}: {kind} is not installed (pip install {package})") from error
    except UsageError:
        raise
    except Exception as error:  # before a run has begun a person can still correct the place
        raise UsageError(f"--log {spec}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _tensorboard(place: str, run_name: str) -> RunLog:
    from training.tracking.tensorboard import TensorBoardLog

    return TensorBoardLog(place, run_name)


def _mlflow(place: str, run_name: str) -> RunLog:
    from training.tracking.mlflow import MlflowLog

    return MlflowLog(place, run_name)


KINDS: Mapping[str, tuple[str, Callable[[str, str], RunLog]]] = {
    "tensorboard": ("tensorboard", _tensorboard),
    "mlflow": ("mlflow-skinny", _mlflow),
}
"""Kinds of logs: the package that each needs, and what opens one from its place and the name of the run."""
