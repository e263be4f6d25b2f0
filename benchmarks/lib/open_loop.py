"""Requests at a fixed rate, whether or not earlier ones were answered."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from functools import partial

from benchmarks.lib.load_generator import LOST, Connection, Seen, Tally, connect, cycle, unseen

MAX_CONNECTIONS = 4096
TICK_S = 0.0005
DRAIN_S = 15.0
"""How long answers may come after the last request of an open loop: more than the server's default deadline."""


class OpenLoop:
    """Sends requests at a fixed rate, whether or not earlier ones were answered.

    A request that finds no idle connection opens one, up to `MAX_CONNECTIONS`; then it waits here. Its time is counted
    from when it was due, so that a generator that falls behind cannot make the server look better.
    """

    def __init__(
        self, port: int, requests: Sequence[bytes], *, per_second: float, seconds: float, seen: Seen = unseen
    ) -> None:
        self._port, self._rest, self._seen = port, cycle(requests), seen
        self._interval, self._num = 1 / per_second, int(per_second * seconds)
        self._idle: list[Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._num_open = 0
        self._end = math.inf
        self.tally = Tally()
        self.drained = Tally()
        self.unanswered = 0

    async def run(self) -> Tally:
        """The answers that came while requests were sent; `drained` has those after that.

        What has no answer after `DRAIN_S` more is given up, and counted in `unanswered`.
        """
        begin, number = time.perf_counter(), 0
        while number < self._num:
            # All that is due, at each tick: a timer for each request costs more than sending it.
            while number < self._num and (due := begin + number * self._interval) <= time.perf_counter():
                self.unanswered += 1
                self._send(next(self._rest), due)
                number += 1
            await asyncio.sleep(TICK_S)
        self._end = time.perf_counter()
        self.tally.seconds = self._end - begin
        while self.unanswered and time.perf_counter() < self._end + DRAIN_S:  # noqa: ASYNC110 - it also ends by time
            await asyncio.sleep(TICK_S)
        for connection in self._idle:
            connection.close()
        return self.tally

    def _send(self, request: bytes, due: float) -> None:
        while self._idle:
            if (connection := self._idle.pop()).open:
                self._ask(connection, request, due)
                return
            self._num_open -= 1
        if self._num_open < MAX_CONNECTIONS:
            self._num_open += 1
            task = asyncio.create_task(self._connect(request, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._waiting.append((request, due))

    async def _connect(self, request: bytes, due: float) -> None:
        try:
            connection = await connect(self._port)
        except OSError:
            self._num_open -= 1
            self._count(LOST, due)
        else:
            self._ask(connection, request, due)

    def _ask(self, connection: Connection, request: bytes, due: float) -> None:
        self.tally.sent += time.perf_counter() < self._end
        connection.ask(request).add_done_callback(partial(self._answered, connection, request, due))

    def _answered(
        self, connection: Connection, request: bytes, due: float, answer: "asyncio.Future[tuple[int, bytes]]"
    ) -> None:
        status, body = answer.result()
        self._count(status, due)
        self._seen(request, status, body)
        self._idle.append(connection)
        if self._waiting:
            self._send(*self._waiting.popleft())

    def _count(self, status: int, due: float) -> None:
        now = time.perf_counter()
        self.unanswered -= 1
        (self.tally if now < self._end else self.drained).add(status, now - due)
