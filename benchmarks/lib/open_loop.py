"""Requests when they are due, at a fixed rate or by given arrivals, whether or not earlier ones were answered."""

import asyncio
import math
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import takewhile

from benchmarks.lib.load_generator import LOST, Seen, Tally, content_length, cycle, unseen

MAX_CONNECTIONS = 4096
TICK_S = 0.001
NAP_S = 0.0001
"""Sleep before a request that is due within two ticks: epoll waits for whole milliseconds, and rounds up."""

READ_EVERY = 64
"""Requests after which answers are read, also where the next one is due already."""

DRAIN_S = 15.0
"""How long answers may come after the last request of an open loop: more than the server's default deadline."""

READ_BYTES = 1 << 18


class OpenLoop:
    """Sends requests at a fixed rate, whether or not earlier ones were answered.

    A request that finds no idle connection opens one, up to `connections`; then it waits here. Its time is counted from
    when it was due, so that a generator that falls behind cannot make the server look better. With `reuse` off each
    request has a connection of its own. What is due in the first `warm_up_s` is sent besides and counts for nothing:
    there are no connections then, and to open one costs a server more than a request. `arrivals` are seconds since the
    start, ascending, in place of the fixed rate.

    Plain sockets and epoll in a thread: a request costs a third of what it costs over asyncio, whose generator falls
    behind a server that refuses quickly.
    """

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        *,
        per_second: float,
        seconds: float,
        arrivals: Iterator[float] | None = None,
        seen: Seen = unseen,
        connections: int = MAX_CONNECTIONS,
        reuse: bool = True,
        warm_up_s: float = 0.0,
    ) -> None:
        self._address, self._rest, self._seen = ("127.0.0.1", port), cycle(requests), seen
        num = int(per_second * (warm_up_s + seconds))
        self._dues: Iterator[float] = (number / per_second for number in range(num))
        if arrivals is not None:
            self._dues = takewhile(lambda due: due < warm_up_s + seconds, arrivals)
        self._warm_up_s, self._counted_from = warm_up_s, 0.0
        self._idle: list[_Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._open: dict[int, _Connection] = {}
        self._most, self._reuse = connections, reuse
        self._end = math.inf
        self.tally = Tally()
        self.drained = Tally()
        self.unanswered = 0

    async def run(self) -> Tally:
        """The answers that came while requests were sent; `drained` has those after that.

        What has no answer after `DRAIN_S` more is given up, and counted in `unanswered`.
        """
        return await asyncio.to_thread(self._run)

    def _run(self) -> Tally:
        with select.epoll() as self._epoll:
            try:
                self._send_all()
                while self.unanswered and time.perf_counter() < self._end + DRAIN_S:
                    self._poll(TICK_S)
            finally:
                for connection in self._open.values():
                    connection.sock.close()
        return self.tally

    def _send_all(self) -> None:
        begin = time.perf_counter()
        self._counted_from = begin + self._warm_up_s
        for number, due_s in enumerate(self._dues, 1):
            due = begin + due_s
            while (early := due - time.perf_counter()) > 0:
                self._wait(early)
            self.unanswered += 1
            self._send(next(self._rest), due)
            if number % READ_EVERY == 0:  # behind: answers are read all the same
                self._poll(0.0)
        self._end = time.perf_counter()
        self.tally.seconds = self._end - self._counted_from

    def _wait(self, seconds: float) -> None:
        """Reads answers for a part of the time until the next request is due."""
        if seconds > 2 * TICK_S:
            self._poll(TICK_S)
        else:
            time.sleep(min(seconds, NAP_S))
            self._poll(0.0)

    def _send(self, request: bytes, due: float) -> None:
        if self._idle:
            self._ask(self._idle.pop(), request, due)
        elif len(self._open) < self._most:
            sock = socket.socket()
            try:
                sock.connect(self._address)  # at once on this machine, unless the server's queue is full
            except OSError:
                sock.close()
                self._count(LOST, due)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._open[sock.fileno()] = _Connection(sock)
            self._epoll.register(sock, select.EPOLLIN)
            self._ask(connection, request, due)
        else:
            self._waiting.append((request, due))

    def _ask(self, connection: "_Connection", request: bytes, due: float) -> None:
        self.tally.sent += self._counted_from <= due and time.perf_counter() < self._end
        connection.request, connection.due = request, due
        connection.unsent = memoryview(request)
        self._write(connection)

    def _write(self, connection: "_Connection") -> None:
        try:
            connection.unsent = connection.unsent[connection.sock.send(connection.unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # its answer may be there all the same
            connection.unsent = connection.unsent[:0]
        wanted = select.EPOLLIN | (select.EPOLLOUT if connection.unsent else 0)
        if wanted != connection.wanted:
            connection.wanted = wanted
            self._epoll.modify(connection.sock, wanted)

    def _poll(self, seconds: float) -> None:
        for descriptor, event in self._epoll.poll(seconds):
            connection = self._open.get(descriptor)
            if connection is None:
                continue
            if event & select.EPOLLOUT and connection.unsent:
                self._write(connection)
            if event & ~select.EPOLLOUT:
                self._read(connection)

    def _read(self, connection: "_Connection") -> None:
        try:
            data = connection.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        answer = connection.received + data
        head = answer.find(b"\r\n\r\n")
        if data and (head < 0 or len(answer) < head + 4 + content_length(answer[:head])):
            connection.received = answer
            return
        connection.received = b""
        closes = not data or not self._reuse or b"\r\nconnection: close" in answer[:head].lower()
        if closes:
            connection.sock.close()
            del self._open[connection.descriptor]
            if connection in self._idle:
                self._idle.remove(connection)
        if connection.request:
            status = int(answer[9:12]) if data else LOST
            self._count(status, connection.due)
            self._seen(connection.request, status, answer[head + 4 :] if data else b"")
            connection.request = b""
            if not closes:
                self._idle.append(connection)
        if self._waiting and (self._idle or len(self._open) < self._most):
            self._send(*self._waiting.popleft())

    def _count(self, status: int, due: float) -> None:
        now = time.perf_counter()
        self.unanswered -= 1
        if due < self._counted_from:
            return
        (self.tally if now < self._end else self.drained).add(status, now - due)


class _Connection:
    """A connection with at most one request under way, `request`, of which `unsent` is still to be sent."""

    __slots__ = ("descriptor", "due", "received", "request", "sock", "unsent", "wanted")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.descriptor = sock.fileno()
        self.wanted = int(select.EPOLLIN)
        self.request, self.received, self.due = b"", b"", 0.0
        self.unsent = memoryview(b"")
