"""Lines of progress, and the cost at the end."""

import time
from collections.abc import Callable

from app.bulk.scoring import Counts

EVERY_S = 10.0
"""Seconds between two lines of progress."""


class Progress:
    """Says how far a run is.

    Args:
        total: rows of all files; None if that is not known before they are read.
        before: rows that an earlier run of the same call has done.
        say: takes a line.
        clock, cpu_clock: seconds of the wall and of the process.
    """

    def __init__(
        self,
        total: int | None,
        before: Counts,
        say: Callable[[str], object],
        *,
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._total, self._before, self._say = total, before, say
        self._clock, self._cpu_clock = clock, cpu_clock
        self._began, self._cpu_began = clock(), cpu_clock()
        self._told = self._began

    def update(self, counts: Counts) -> None:
        """Says a line, if it is time; `counts` are sums over all rows so far."""
        now = self._clock()
        if now - self._told < EVERY_S:
            return
        self._told = now
        rows = counts.rows + counts.bad
        rate = (rows - self._before.rows - self._before.bad) / (now - self._began)
        line = f"{rows:,} rows, {rate:,.0f} a second"
        if self._total and rate:
            line += f"; {rows / self._total:.0%}, {_duration((self._total - rows) / rate)} left"
        self._say(line)

    def cost(self, counts: Counts) -> str:
        """The cost of this run, without what an earlier one did."""
        seconds = self._clock() - self._began
        cores_s = self._cpu_clock() - self._cpu_began
        rows, tokens = counts.rows - self._before.rows, counts.tokens - self._before.tokens
        speed = f"{_rate(rows, seconds)} texts/s, {_rate(tokens, seconds)} tokens/s"
        price = f"{cores_s:,.1f} s of processor time, {_rate(3600 * rows, cores_s)} texts per core-hour"
        return f"{rows:,} texts in {_duration(seconds)}: {speed}; {price}"


def _rate(number: float, seconds: float) -> str:
    return f"{number / seconds:,.0f}" if seconds else "0"


def _duration(seconds: float) -> str:
    """A time as a person says it.

    >>> _duration(4.2), _duration(75), _duration(8000)
    ('4.2 s', '1 min 15 s', '2 h 13 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
