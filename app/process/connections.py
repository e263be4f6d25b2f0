"""What a connection may cost: how many there are, how slow one may be, how long its headers.

uvicorn bounds none of these but the time between two requests. Here a sweep, once a second, looks at what each
connection is doing: a request that is answered in time pays nothing for it.
"""

import asyncio
import resource
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from app.config.machine import DESCRIPTOR_RESERVE
from app.config.sections import ConnectionLimits
from app.config.settings import SettingsError
from app.core.errors import (
    AppError,
    HeadersTooLarge,
    InvalidRequest,
    Overloaded,
    RequestTooSlow,
)
from app.http.problems import problem_response
from app.http.request_log import cut_short
from app.telemetry.metrics import Metrics

MAX_HEAD_BYTES = 65_536
"""Bytes that may come without completing the headers, or without being part of a body. What arrives in one piece with
the end of the headers passes: the kernel hands over at most four times as much."""

MAX_TURNED_AWAY = 128
"""Connections beyond the limit that are told so; more at a time are cut without a word."""

RETRY_AFTER_S = 5
SWEEP_SLICE = 512
"""Connections looked at in one turn of the event loop, a fraction of a millisecond."""


class Phase(Enum):
    """What a connection is doing. The value is the cause in the metrics of its being cut."""

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
    """What is still to be sent is sent."""


class Door(ServerState):
    """What uvicorn shares among the connections, with their bounds."""

    def __init__(self, limits: ConnectionLimits, max_body_bytes: int, metrics: Metrics) -> None:
        super().__init__()
        self.max_connections = limits.max_connections
        self.max_discarded_bytes = max_body_bytes
        self.bounds_s = {
            Phase.SILENT: limits.headers_timeout_s,
            Phase.HEADERS: limits.headers_timeout_s,
            Phase.BODY: limits.transfer_timeout_s,
            Phase.ANSWERING: float("inf"),
            Phase.SENDING: limits.transfer_timeout_s,
            Phase.IDLE: float(limits.keep_alive_s),
            Phase.CLOSING: limits.transfer_timeout_s,
        }
        self._metrics = metrics
        self._turned_away: list[asyncio.Transport] = []
        metrics.process.connections.set_function(lambda: len(self.connections))

    def count_cut(self, cause: str) -> None:
        """Notes that a connection was closed before its client wished."""
        self._metrics.process.connections_cut.labels(cause).inc()

    def turn_away(self, transport: asyncio.Transport) -> None:
        """Says that there are too many, and leaves the client until the next sweep to read it."""
        self.count_cut("excess")
        if len(self._turned_away) >= MAX_TURNED_AWAY:
            transport.abort()
            return
        self._turned_away.append(transport)
        transport.set_protocol(_Deaf())
        transport.write(_raw(Overloaded("The server has too many connections; try again later.", RETRY_AFTER_S)))
        # Not closed: with something unread in the socket the client would see a reset and no answer.
        transport.write_eof()

    async def sweep(self) -> None:
        """Cuts the connections that have done one thing for too long."""
        for transport in self._turned_away:
            transport.abort()
        self._turned_away.clear()
        now = time.monotonic()
        for index, connection in enumerate(list(self.connections), 1):
            if isinstance(connection, Connection):
                connection.look(now)
            if index % SWEEP_SLICE == 0:
                await asyncio.sleep(0)


class Connection(HttpToolsProtocol):
    """One connection that is looked at.

    A client that has shut its sending side counts as gone, as it does for most servers: those that leave and those that
    merely send nothing more look the same, and what nobody waits for must not be computed.
    """

    server_state: Door
    # None before the first request, whatever uvicorn declares.
    cycle: Any
    scope: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._doing: Phase | None = None
        self._subject: object = None
        self._since = 0.0
        self._progress: _Progress | None = None
        self._useless_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection if there is room for one more."""
        if len(self.connections) >= self.server_state.max_connections:
            self.server_state.turn_away(transport)
        else:
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Reads on."""
        HttpToolsProtocol.data_received(self, data)
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self._bound(len(data))

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP, as any other error."""
        self._refuse(InvalidRequest("This is not a valid HTTP request."), 400)

    def look(self, now: float) -> None:
        """What it is doing, and whether that takes too long."""
        doing, subject = self._phase()
        if doing is not self._doing or subject is not self._subject:
            self._doing, self._subject, self._since = doing, subject, now
        elif now - self._since > self.server_state.bounds_s[doing]:
            self._cut(doing)

    def _phase(self) -> tuple[Phase, object]:
        """With the object that is another one when the same thing begins anew."""
        cycle = self.cycle
        if self.transport.is_closing():
            return Phase.CLOSING, None
        if self.scope is None:
            return Phase.SILENT, None
        if cycle is None or cycle.scope is not self.scope:
            return Phase.HEADERS, self.scope
        if cycle.response_complete:
            return Phase.IDLE, cycle
        if cycle.more_body and not cycle.response_started:
            return Phase.BODY, cycle
        if self.flow.write_paused and not cycle.chunked_encoding:
            return Phase.SENDING, cycle
        return Phase.ANSWERING, cycle

    def _cut(self, phase: Phase) -> None:
        self.server_state.count_cut("answer" if phase is Phase.CLOSING else phase.value)
        late = RequestTooSlow(f"The {phase.value} did not arrive within {self.server_state.bounds_s[phase]:g} s.")
        if phase is Phase.HEADERS:
            self._refuse(late)
        elif phase is Phase.BODY:
            # Whoever waits for the body sees that the client is gone, and the log why.
            cut_short(self.cycle.scope, late)
            self._refuse(late)
        elif phase in (Phase.SENDING, Phase.CLOSING):
            self.transport.abort()
        else:
            self.transport.close()

    def _bound(self, num_bytes: int) -> None:
        """Counts what came without bringing the request further: endless headers, trailers, or what was refused."""
        cycle = self.cycle
        in_headers = cycle is None or cycle.scope is not self.scope
        body = b"" if in_headers else cycle.body
        # The body is another object each time that the application has taken some of it.
        progress = _Progress(self.scope, body, len(body))
        if self._progress is not None and progress.same_as(self._progress):
            self._useless_bytes += num_bytes
        else:
            self._useless_bytes = num_bytes if in_headers else 0
        self._progress = progress
        discarding = not in_headers and cycle.response_complete
        if self._useless_bytes <= (self.server_state.max_discarded_bytes if discarding else MAX_HEAD_BYTES):
            return
        if self.transport.is_closing():
            return
        self.server_state.count_cut("headers_size")
        if in_headers:
            self._refuse(HeadersTooLarge(f"The headers have more than {MAX_HEAD_BYTES} bytes."))
        else:
            self.transport.abort()

    def _refuse(self, error: AppError, status: int | None = None) -> None:
        self.transport.write(_raw(error, status))
        self.transport.close()


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a request has come."""

    scope: object
    body: object
    num_bytes: int

    def same_as(self, other: "_Progress") -> bool:
        return self.scope is other.scope and self.body is other.body and self.num_bytes == other.num_bytes


class _Deaf(asyncio.Protocol):
    """Whatever comes is passed over."""


def _raw(error: AppError, status: int | None = None) -> bytes:
    """The answer to a request that no application has seen."""
    response: Response = problem_response(error)
    headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers if header[0] != b"connection")
    return STATUS_LINE[status or response.status_code] + headers + b"connection: close\r\n\r\n" + bytes(response.body)


def raise_descriptor_limit(max_connections: int) -> None:
    """Lets this process and its children open as many files as the connections need.

    Raises:
        SettingsError: it may not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_connections + DESCRIPTOR_RESERVE
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise SettingsError(
            f"--max-connections (SLUICE_MAX_CONNECTIONS) is {max_connections}, which needs {needed} open files, but "
            f"this process may have {hard}: raise its limit (ulimit -n) or lower --max-connections."
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
