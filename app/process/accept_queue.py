"""The queue of connections that the kernel has opened and nobody has accepted yet.

The event loop accepts one connection a turn (`app.process.acceptor`). Where each request brings its own connection,
requests wait in this queue and not in the server: its length counts as requests under way, and those that come too many
are taken from it and refused without becoming a connection of the event loop, which would cost more.
"""

import re
import socket
import sys
from collections.abc import Callable

from app.process.concurrency import MAX_BODY_BYTES, ConcurrencyLimit, Refusal

PER_TURN = 64
"""Connections refused in one turn of the event loop, some milliseconds."""

_QUEUED = slice(24, 28)
"""Place of the length in `tcp_info`. Source: `tcpi_unacked` in linux/tcp.h; of a listening socket tcp(7) and
`tcp_get_info` in net/ipv4/tcp.c say that it counts the connections that wait."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)

_ORIGIN = re.compile(rb"\r\norigin:", re.IGNORECASE)


class AcceptQueue:
    """The queue of one listening socket.

    Of a Unix socket, or elsewhere than on Linux, nobody tells its length: it counts as empty.

    Args:
        listening: the socket, which is made not to block.
        limit: of the requests under way.
        share: processes that accept from the socket.
        connect: takes what is accepted and not refused.
    """

    def __init__(
        self,
        listening: socket.socket,
        limit: ConcurrencyLimit,
        *,
        share: int,
        connect: Callable[[socket.socket], None],
    ) -> None:
        listening.setblocking(False)  # another process may be faster than `accept`
        self._listening = listening
        self._limit = limit
        self._share = share
        self._connect = connect
        self._tells = sys.platform == "linux" and listening.family != socket.AF_UNIX

    def length(self) -> int:
        """This process's share of the connections that wait; none once the server has closed the socket to leave."""
        if not self._tells or self._listening.fileno() < 0:
            return 0
        info = self._listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUED.stop)
        return int.from_bytes(info[_QUEUED], "little") // self._share

    def shed(self, now: float) -> None:
        """Refuses what has come too many at `now`, in seconds of a steady clock; called for each new connection."""
        self._limit.waiting = self.length()
        for _ in range(min(self._limit.excess(now), PER_TURN)):
            try:
                sock, _ = self._listening.accept()
            except OSError:  # another process was faster, or the client has left
                return
            self._limit.waiting -= 1
            if not self._refuse(sock, now):
                self._connect(sock)

    def _refuse(self, sock: socket.socket, now: float) -> bool:
        """Answers a small request that is there as a whole, so that closing loses no answer; False for any other."""
        try:
            data = sock.recv(MAX_BODY_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            refusal = self._refusal_for(data)
            if refusal is None:
                return False
            sock.recv(len(data), socket.MSG_DONTWAIT)
            sock.send(refusal.closing, socket.MSG_DONTWAIT)
        except BlockingIOError:  # nothing has come yet
            return False
        except OSError:
            pass
        else:
            self._limit.count(refusal, now)
        sock.close()
        return True

    def _refusal_for(self, data: bytes) -> Refusal | None:
        head = data.find(b"\r\n\r\n")
        if self._limit.cross_origin and _ORIGIN.search(data, 0, head + 2):
            return None
        length = _LENGTH.search(data, 0, head + 2)
        if head < 0 or length is None or not data.startswith(b"POST ") or len(data) != head + 4 + int(length[1]):
            return None
        return self._limit.refusal_for(data[5 : data.find(b" ", 5)])
