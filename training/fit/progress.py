"""Shows a run's progress: a live line on a terminal, plain lines elsewhere; each validation reading leaves a line."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from training.fit.steps import Progress

LINE_EVERY_S = 10.0

History = Sequence[Mapping[str, float]]
"""The trainer's readings so far."""

Show = Callable[[Progress, History], None]
"""To be called after each step."""


@contextmanager
def show_progress(console: Console, *, metric: str, num_readings: int = 0) -> Iterator[Show]:
    """Yields what shows a step. `num_readings` are known already, from before a resumption, and not told again."""
    readings = Readings(console, metric, num_readings)
    if not console.is_terminal:
        yield PlainLines(console, readings)
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f}%"))
    with Bar(*columns, console=console, transient=True) as bar:
        yield LiveLine(bar, readings)


class Readings:
    """Prints each reading once."""

    def __init__(self, console: Console, metric: str, num_told: int) -> None:
        self._console, self._metric, self._num_told = console, metric, num_told

    def tell(self, history: History) -> None:
        """Prints what is new in `history`."""
        for reading in history[self._num_told :]:
            self._console.print(describe_reading(reading, self._metric), highlight=False)
        self._num_told = len(history)


class LiveLine:
    """A bar with rate and time left."""

    def __init__(self, bar: Bar, readings: Readings) -> None:
        self._bar, self._readings = bar, readings
        self._task = bar.add_task("starting")

    def __call__(self, progress: Progress, history: History) -> None:
        """Shows the progress after a step."""
        self._readings.tell(history)
        self._bar.update(
            self._task, completed=progress.step, total=progress.total_steps, description=describe(progress)
        )


class PlainLines:
    """A line every `LINE_EVERY_S` seconds."""

    def __init__(self, console: Console, readings: Readings, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._readings, self._clock = console, readings, clock
        self._last = clock()

    def __call__(self, progress: Progress, history: History) -> None:
        """Shows the progress after a step."""
        self._readings.tell(history)
        if self._clock() - self._last >= LINE_EVERY_S:
            self._last = self._clock()
            self._console.print(describe(progress), highlight=False)


def describe(progress: Progress) -> str:
    """Step, loss, rate and time left in one line."""
    return (
        f"epoch {progress.epoch:.2f}  step {progress.step:,}/{progress.total_steps:,}  loss {progress.loss:.4f}  "
        f"{progress.tokens_per_s:,.0f} tokens/s  {format_duration(progress.seconds_left)} left"
    )


def describe_reading(reading: Mapping[str, float], metric: str) -> str:
    """A validation reading in one line."""
    return (
        f"epoch {reading['epoch']:.2f}  step {reading['step']:,.0f}  training loss {reading['loss']:.4f}  "
        f"validation {metric} {reading['validation']:.4f}"
    )


def format_duration(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> format_duration(3725.4), format_duration(65)
    ('1:02:05', '1:05')
    """
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
