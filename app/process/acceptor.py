"""Accepts the connections of a socket that the processes of one server share, evenly.

All processes wake for a new connection, and the kernel gives it to the first that asks. While the server is idle that
is the same one again and again: clients that keep few connections would have one worker's speed. So a process that has
more connections than another leaves a new one to that for a moment.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, MutableSequence
from typing import Any

logger = logging.getLogger(__name__)

LEAVE_S = 0.001
"""Time for which a process with more connections than another leaves a new one to that. A process that waits for
nothing takes it within a tenth of that; a busy one may not, and then it is taken all the same."""

EVEN = 8
"""A process has as many connections as another if it has no more than an eighth more: many are even enough."""

AWAY = 2**31 - 1
"""Connections of a process that takes none: one that has not started, or has ended. Nobody waits for it."""

RETRY_S = 1.0
"""Time to wait where the system has no room for one more connection. Source: `ACCEPT_RETRY_DELAY` of asyncio."""

_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """One process's part in the connections of a listening socket.

    Args:
        listening: the socket, which is made not to block.
        protocol: makes one for each connection.
        num_open: number of those that are open.
        counts: connections of each process, in memory that they share; `AWAY` of one that takes none.
        index: of this process among them.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.BaseProtocol],
        num_open: Callable[[], int],
        counts: MutableSequence[int] | Any,
        index: int = 0,
    ) -> None:
        listening.setblocking(False)  # another process may be faster than `accept`
        self._listening = listening
        self._protocol = protocol
        self._num_open = num_open
        self._counts = counts
        self._index = index
        self._later: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begins to accept, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._counts[self._index] = 0
        self._loop.add_reader(self._listening, self._ready)

    def close(self) -> None:
        """Accepts no more; the socket stays open."""
        self._counts[self._index] = AWAY
        self._loop.remove_reader(self._listening)
        if self._later is not None:
            self._later.cancel()

    def connect(self, sock: socket.socket) -> None:
        """Makes a connection of the event loop from an accepted socket."""
        sock.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._connect(sock))
        self._connecting.add(task)
        task.add_done_callback(self._connected)
        self.publish()

    def publish(self) -> None:
        """Tells the other processes how many connections there are here."""
        if self._counts[self._index] != AWAY:
            self._counts[self._index] = self._num_open() + len(self._connecting)

    async def _connect(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, sock)
        except OSError:  # its client has left
            sock.close()

    def _connected(self, task: asyncio.Task[Any]) -> None:
        self._connecting.discard(task)
        self.publish()

    def _ready(self) -> None:
        if self._has_more_than_another():
            self._wait(LEAVE_S)
        else:
            self._accept()

    def _has_more_than_another(self) -> bool:
        fewest = min(self._counts)
        return self._counts[self._index] - fewest > fewest // EVEN

    def _wait(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._later = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._loop.add_reader(self._listening, self._ready)
        self._accept()

    def _accept(self) -> None:
        """Accepts one connection, if one still waits; the next comes with another turn of the event loop."""
        try:
            sock, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another process was faster
            return
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            logger.error("no connection can be accepted; trying again", extra={"cause": error.strerror})
            self._wait(RETRY_S)
        else:
            self.connect(sock)
