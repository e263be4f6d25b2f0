"""A caller that asks the same again and again beside a load, and the time after which its answers are as before."""

import asyncio
import math
import statistics
import time
from dataclasses import dataclass, field

from benchmarks.lib.load_generator import OK, connect

ASK_EVERY_S = 0.1

WINDOW = 5
"""Answers, half a second."""

READY = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(slots=True)
class Probe:
    """Asks one thing again and again, each time on a new connection, as a balancer or a new caller does.

    Attributes:
        answers: when each ended, its status and the seconds it took.
    """

    port: int
    request: bytes
    answers: list[tuple[float, int, float]] = field(default_factory=list)

    async def run(self) -> None:
        """Asks for readiness until it is cancelled."""
        while True:
            began = time.perf_counter()
            connection = await connect(self.port)
            status, _ = await connection.ask(self.request)
            connection.close()
            now = time.perf_counter()
            self.answers.append((now, status, now - began))
            await asyncio.sleep(ASK_EVERY_S)

    def latencies(self, begin: float, end: float) -> list[float]:
        """Figures of the answers in that time."""
        return [seconds for at, _, seconds in self.answers if begin <= at < end]


def recovery_s(probe: Probe, end: float, normal_s: float) -> float:
    """Seconds after `end` until the last answer around which it was slow.

    That is where the middle of `WINDOW` answers took longer than `normal_s`: a single slow one is the machine's. An
    answer that is no 200 counts as one that took for ever.
    """
    after = [(at, seconds if status == OK else math.inf) for at, status, seconds in probe.answers if at >= end]
    windows = [after[start : start + WINDOW] for start in range(max(1, len(after) - WINDOW + 1))]
    slow = [
        window[len(window) // 2][0] - end
        for window in windows
        if window and statistics.median(seconds for _, seconds in window) > normal_s
    ]
    return max(slow, default=0.0)
