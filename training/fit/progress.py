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
def show_progress(
    console: Console,
    *,
    metric: str,
    num_readings: int = 0,
    title: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Show]:
    """Yields what shows a step: a bar with rate and time left, or a line every `LINE_EVERY_S` seconds.

    Args:
        console: for a person to watch.
        metric: name of the validation score.
        num_readings: that are known already, from before a resumption, and not told again.
        title: of one of several trainings, at the head of each line; its readings are not told.
        clock: seconds, never decreasing.
    """
    told, last, head = num_readings, clock(), f"{title}  " if title else ""

    def tell(history: History) -> None:
        """Prints what is new in `history`."""
        nonlocal told
        for reading in history[told:] if not title else ():
            console.print(describe_reading(reading, metric), highlight=False)
        told = len(history)

    def plain_line(progress: Progress, history: History) -> None:
        nonlocal last
        tell(history)
        if clock() - last >= LINE_EVERY_S:
            last = clock()
            console.print(head + describe(progress), highlight=False)

    if not console.is_terminal:
        yield plain_line
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f}%"))
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting")

        def live_line(progress: Progress, history: History) -> None:
            tell(history)
            said = head + describe(progress)
            bar.update(task, completed=progress.step, total=progress.total_steps, description=said)

        yield live_line


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
