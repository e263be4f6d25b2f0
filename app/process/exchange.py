"""One HTTP request of a connection and its answer, as an ASGI application sees them.

The head of an answer that states its length waits for the body, and both leave in one write; that of a stream leaves
at once.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Scope

from app.core.errors import ClientGone
from app.http.numbers import whole_number
from app.http.problems import problem_response, response_bytes

if TYPE_CHECKING:
    from app.process.protocol import HttpProtocol

logger = logging.getLogger(__name__)

READ_AHEAD_BYTES = 65_536
"""Bytes of a body that the application has not read, above which no more are read from the connection."""

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WITHOUT_BODY = (204, 304)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Source: `token` of RFC 9110, section 5.6.2."""

_CONTROLS = bytes([*range(9), *range(10, 32), 127])
"""May stand in no value: the end of a line within one would begin a header, or an answer, of somebody else's making."""


@lru_cache(256)
def _prefix(name: bytes) -> bytes:
    """The beginning of a header's line.

    Raises:
        RuntimeError: no header may have this name.
    """
    if not _NAME.fullmatch(name):
        raise RuntimeError("the name of a header holds characters that it may not")
    return name.lower() + b": "


class Exchange:
    """A request as far as it has come, and its answer as far as it has gone.

    Args:
        connection: that it came over.
        scope: of the request.
        keep_alive: whether the connection stays open after the answer.
        expects_continue: whether the client waits to be asked for the body.

    Attributes:
        transport: that the answer is written to.
        body: the part that the application has not read yet; another object once it has read some of it.
        more_body: whether there is more to come.
        response_started, response_complete: how far the answer is.
        chunked: whether the answer has no length; None before its head.
        disconnected: whether the client has left.
        at_end: called when the application has returned.
    """

    __slots__ = (
        "_connection",
        "_expects_continue",
        "_head",
        "_left_bytes",
        "_news",
        "_task",
        "at_end",
        "body",
        "chunked",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
        "transport",
    )

    def __init__(self, connection: "HttpProtocol", scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        self._connection = connection
        self._expects_continue = expects_continue
        self._head = b""
        self._left_bytes = 0
        self._news = asyncio.Event()
        self.transport = connection.transport
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.more_body = True
        self.response_started = self.response_complete = self.disconnected = False
        self.chunked: bool | None = None
        self.at_end: Callable[[], None] | None = None

    def add_body(self, part: bytes) -> None:
        """Takes a part of the body, which counts for nothing once the answer is complete."""
        if not self.response_complete:
            self.body += part
            self._news.set()
            if len(self.body) > READ_AHEAD_BYTES:
                self._connection.pause_reading()

    def end_body(self) -> None:
        """Notes that the body is there."""
        if not self.response_complete:
            self.more_body = False
            self._news.set()

    def disconnect(self) -> None:
        """Notes that the connection is lost."""
        self.disconnected = self.disconnected or not self.response_complete
        self._news.set()

    def start(self, app: ASGIApp, tasks: "set[asyncio.Task[None]]") -> None:
        """Lets the application answer in a task, which is one of `tasks` until it has."""
        self._task = self._connection.loop.create_task(self._run(app, tasks))
        tasks.add(self._task)

    async def _run(self, app: ASGIApp, tasks: "set[asyncio.Task[None]]") -> None:
        """Calls the application; an answer that it fails to begin is 500, and one that it leaves open is cut."""
        try:
            await app(self.scope, self.receive, self.send)
            if not (self.response_complete or self.disconnected):
                raise RuntimeError("the application returned without a complete answer")
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):  # the time to finish is over
                logger.warning("a request was cut, since the server leaves")
            else:
                logger.error("the application failed", exc_info=error)
            if not (self.response_started or self.disconnected):
                self.transport.write(response_bytes(problem_response(RuntimeError()), close=True))
            self.transport.close()
        finally:
            tasks.discard(self._task)
            if self.at_end is not None:
                self.at_end()

    async def receive(self) -> Message:
        """Returns the next part of the body; after the last one, waits until the client leaves or has its answer."""
        if self._expects_continue and not self.transport.is_closing():
            self._expects_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not (self.disconnected or self.response_complete):
            self._connection.resume_reading()
            if not self._news.is_set():
                await self._news.wait()
            self._news.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Sends a part of the answer, once the client has taken enough of what came before.

        Raises:
            ClientGone: the client has left, and this is not the last part.
            RuntimeError: this part may not stand here; a slip of the application.
        """
        if self._connection.write_paused and not self.disconnected:
            await self._connection.writable()
        if self.disconnected:
            if message.get("more_body", False):
                raise ClientGone  # else what is still to be read and sent would be worked on for nobody
            return
        kind = message["type"]
        if not self.response_started and kind == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        elif self.response_started and not self.response_complete and kind == "http.response.body":
            self._continue(message.get("body", b""), bool(message.get("more_body", False)))
        else:
            raise RuntimeError(f"{kind} may not be sent here")

    def _start(self, status: int, headers: Any) -> None:
        self.response_started = True
        self._expects_continue = False
        parts: list[bytes] = []
        chunked: bool | None = None
        closes = False
        for name, value in headers:
            prefix = _prefix(name)
            parts += (prefix, value, b"\r\n")
            if prefix == b"content-length: " and chunked is None:
                self._left_bytes, chunked = int(value), False
            elif prefix == b"transfer-encoding: " and value.lower() == b"chunked":
                self._left_bytes, chunked = 0, True
            elif prefix == b"connection: ":
                closes = closes or b"close" in map(bytes.strip, value.lower().split(b","))
        lines = b"".join(parts)
        if len(lines) - len(lines.translate(None, _CONTROLS)) != len(parts) // 3 * 2:
            raise RuntimeError("a header of the answer holds characters that it may not")
        head = (_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status) + self._connection.default_head() + lines
        if closes:
            self.keep_alive = False
        elif not self.keep_alive or self._is_cut_later(chunked):
            head += b"connection: close\r\n"
        if chunked is None and self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY:
            chunked = True
            head += b"transfer-encoding: chunked\r\n" * self._takes_chunks
        self.chunked = chunked
        if chunked:
            self.transport.write(head + b"\r\n")
        else:
            self._head = head + b"\r\n"

    @property
    def _takes_chunks(self) -> bool:
        """False for a client of HTTP/1.0, whose answer without a length ends with the connection: RFC 9112, 6.1."""
        return bool(self.scope["http_version"] != "1.0")

    def _is_cut_later(self, chunked: bool | None) -> bool:
        """Tells if the answer leaves more of the body than is read and dropped; a stream reads it to the end.

        The connection is then cut while the client still sends. One that has sent all by then, into the buffers on the
        way, must not take the connection for its next request.
        """
        most = self._connection.server_state.max_dropped_bytes
        sizes = (whole_number(value) or 0 for name, value in self.scope["headers"] if name == b"content-length")
        return self.more_body and chunked is False and any(size > most for size in sizes)

    def _continue(self, body: bytes, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body, self._left_bytes = b"", 0
        elif self.chunked and self._takes_chunks:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        elif not self.chunked:
            self._left_bytes -= len(body)
            if self._left_bytes < 0 or (self._left_bytes and not more):
                raise RuntimeError("the body of the answer has another length than its head states")
        head, self._head = self._head, b""
        self.transport.write(head + body)
        if not more:
            self.response_complete = True
            self._news.set()
            if not self.keep_alive:
                self.transport.close()
            self._connection.end_exchange()
