"""Connections of the server: how many there are, how slow one may be, how long its headers.

uvicorn bounds none of these but the time between two requests. Here a sweep, once a second, looks at the phase of each
connection: a request that is answered in time pays nothing for it.
"""

import asyncio
import logging
import time
from enum import Enum
from typing import Any

from uvicorn.server import ServerState

from app.config.sections import ConnectionLimits
from app.core.errors import AppError, Overloaded
from app.core.timers import Timers
from app.http.problems import problem_response, response_bytes
from app.process.accept_queue import AcceptQueue
from app.process.acceptor import Acceptor
from app.process.concurrency import ConcurrencyLimit
from app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

MAX_REFUSED = 128
"""Connections beyond the limit that get an answer; more at a time are cut without a word."""

RETRY_AFTER_S = 5
SWEEP_SLICE = 512
"""Connections looked at in one turn of the event loop, a fraction of a millisecond."""


class Phase(Enum):
    """Phase of a connection. The value is the cause in the metrics of its being cut."""

    SILENT = "silent"
    """Open, and nothing was ever asked."""
    HEADERS = "headers"
    BODY = "body"
    ANSWERING = "never"
    """All is here, or the answer has begun: the deadline of the request counts, or the stream looks after itself."""
    SENDING = "answer"
    """The client does not take its answer."""
    IDLE = "idle"
    """Answered; the next request has not begun, or what was refused is still coming."""
    CLOSING = "closing"
    """The last bytes are still to be sent."""


class Connections(ServerState):
    """State that uvicorn shares among the connections, with their limits.

    Args:
        limits: of number and time.
        max_body_bytes: bytes of a refused body that are read and dropped.
        metrics: counts connections that are open, and those that were cut.
        requests: bounds those that are under way.

    Attributes:
        acceptor: what they come from, and what tells other processes their number.
        queue: connections that are not accepted yet, if they are watched.
        idling: timers of those that wait for their next request, `keep_alive_s` at most.
    """

    # uvicorn declares its own protocols, and gets `app.process.connection.Connection` alone.
    connections: set[Any]

    def __init__(
        self, limits: ConnectionLimits, max_body_bytes: int, metrics: Metrics, requests: ConcurrencyLimit
    ) -> None:
        super().__init__()
        self.requests = requests
        self.idling = Timers()
        self.keep_alive_s = float(limits.keep_alive_s)
        self.acceptor: Acceptor | None = None
        self.queue: AcceptQueue | None = None
        self.max_dropped_bytes = max_body_bytes
        self.timeouts_s = {
            Phase.SILENT: limits.headers_timeout_s,
            Phase.HEADERS: limits.headers_timeout_s,
            Phase.BODY: limits.transfer_timeout_s,
            Phase.ANSWERING: float("inf"),
            Phase.SENDING: limits.transfer_timeout_s,
            Phase.IDLE: self.keep_alive_s,
            Phase.CLOSING: limits.transfer_timeout_s,
        }
        self._max_connections = limits.max_connections
        self._cut = metrics.process.connections_cut
        self._refused: list[asyncio.Transport] = []
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._head = b""
        metrics.process.connections.set_function(lambda: len(self.connections))

    @property
    def full(self) -> bool:
        """True if there is no room for one more connection."""
        return len(self.connections) >= self._max_connections

    def remove(self, connection: Any) -> None:
        """Forgets a connection that is closed."""
        self.connections.discard(connection)
        if self.acceptor is not None:
            self.acceptor.publish()

    def default_head(self) -> bytes:
        """Returns the lines of the headers that each answer has; uvicorn renews them each second."""
        if self._headers is not self.default_headers:
            self._headers = self.default_headers
            self._head = b"".join(b"%s: %s\r\n" % header for header in self.default_headers)
        return self._head

    def inc_cut(self, cause: str) -> None:
        """Counts a connection that was closed before its client wished."""
        self._cut.labels(cause).inc()

    def refuse(self, transport: asyncio.Transport) -> None:
        """Answers that there are too many, and leaves the client until the next sweep to read it."""
        self.inc_cut("excess")
        transport.set_protocol(_Ignoring())
        if len(self._refused) >= MAX_REFUSED:
            transport.abort()
            return
        self._refused.append(transport)
        error = Overloaded("The server has too many connections; try again later.", RETRY_AFTER_S)
        transport.write(raw_response(error))
        # Not closed: with something unread in the socket the client would see a reset and no answer.
        transport.write_eof()

    async def sweep(self) -> None:
        """Cuts the connections that have been in one phase for too long."""
        if refused := self.requests.take_refused():
            logger.warning("requests refused: too many at once", extra={"refused": refused})
        for transport in self._refused:
            transport.abort()
        self._refused.clear()
        now = time.monotonic()
        for index, connection in enumerate(list(self.connections), 1):
            connection.check(now)
            if index % SWEEP_SLICE == 0:
                await asyncio.sleep(0)


class _Ignoring(asyncio.Protocol):
    """Protocol that drops everything it receives."""


def raw_response(error: AppError) -> bytes:
    """Bytes of the answer to a request that no application has seen; the connection closes after it."""
    return response_bytes(problem_response(error), close=True)
