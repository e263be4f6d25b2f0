"""The load generator with a clock on its own work."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.lib.open_loop import OpenLoop
from benchmarks.simulation.service_times import GeneratorCosts


class TimedLoop(OpenLoop):
    """An open loop that counts the time in which it sends and reads, and its looks for answers."""

    def __init__(self, port: int, requests: Sequence[bytes], **options: Any) -> None:
        super().__init__(port, requests, **options)
        self._sent = self._looks = 0
        self._sending_s = self._reading_s = self._looking_s = 0.0

    @property
    def costs(self) -> GeneratorCosts:
        """Seconds of a request sent, of its answer read and of a look, after a run."""
        return GeneratorCosts(
            send_s=self._sending_s / max(1, self._sent),
            read_s=self._reading_s / max(1, self._sent),
            look_s=self._looking_s / max(1, self._looks),
        )

    def _run(self) -> Any:
        before = time.thread_time()
        found = super()._run()
        self._looking_s = max(0.0, time.thread_time() - before - self._sending_s - self._reading_s)
        return found

    def _ask(self, connection: Any, request: bytes, due: float) -> None:
        began = time.perf_counter()
        super()._ask(connection, request, due)
        self._sending_s += time.perf_counter() - began
        self._sent += 1

    def _read(self, connection: Any) -> None:
        began = time.perf_counter()
        super()._read(connection)
        self._reading_s += time.perf_counter() - began

    def _wait(self, seconds: float) -> None:
        super()._wait(seconds)
        self._looks += 1
