"""HTTP/1.1 on one connection: from the parser's events to ASGI calls, one after another.

uvicorn runs the server, and has protocols of its own. This one answers a request in one write, keeps no timer of the
event loop for each, and lets its subclass see and refuse what comes.
"""

import asyncio
import urllib.parse
from collections import deque
from typing import Any

import httptools
from starlette.types import Scope
from uvicorn.config import Config

from app.process.connections import Connections
from app.process.exchange import Exchange
from app.process.listening import plain_address

_ASGI = {"version": "3.0", "spec_version": "2.3"}


class HttpProtocol(asyncio.Protocol):
    """Connection that answers requests by an ASGI application.

    Args:
        config: holds the application.
        server_state: shared by all connections.
        app_state: copied into the scope of each request.

    Attributes:
        loop: that runs it.
        scope: of the last request, complete once its headers are; None before the first one.
        exchange: the last request whose headers are complete, with its answer; None before the first one.
        answering: the one that is being answered, or was last.
        pipeline: requests that came before the one ahead of them was answered, the last one first.
        url, headers: of the last request, as far as they have come; then the trailers of its body.
        expects_continue: whether its client waits to be asked for the body.
        write_paused: whether the client takes its answer too slowly.
    """

    def __init__(
        self,
        config: Config,
        server_state: Connections,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,  # uvicorn gives its own
    ) -> None:
        self.server_state = server_state
        self.loop = _loop or asyncio.get_running_loop()
        self.transport: Any = None
        self.parser: Any = None
        self.scope: Scope | None = None
        self.exchange: Exchange | None = None
        self.pipeline: deque[Exchange] = deque()
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.expects_continue = False
        self.write_paused = False
        self._app = config.loaded_app
        self._app_state = app_state
        self._server: tuple[str, int | None] | None = None
        self._client: tuple[str, int] | None = None
        self.answering: Exchange | None = None
        self._read_paused = False
        self._writable = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to read requests."""
        self.transport = transport
        self.server_state.connections.add(self)
        self._server, client = _address(transport, "sockname"), _address(transport, "peername")
        self._client = None if client is None or client[1] is None else plain_address((client[0], client[1]))
        self.begin_parsing()

    def begin_parsing(self) -> None:
        """Takes what comes next for the beginning of a request."""
        self.parser = httptools.HttpRequestParser(self)
        # A client that closes after its answer may have sent more requests behind that one.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the application that its client has left."""
        self.server_state.remove(self)
        self.stop_idling()
        if self.answering is not None:
            self.answering.disconnect()
        self._writable.set()
        self.transport.close()
        self.parser = None  # refers to this object

    def shutdown(self) -> None:
        """Closes the connection, after the answer that is due; called by uvicorn when the server leaves."""
        if self.exchange is None or self.exchange.response_complete:
            self.transport.close()
        else:
            self.exchange.keep_alive = False

    # Events of the parser.

    def on_message_begin(self) -> None:
        """Begins the next request."""
        self.url = b""
        self.expects_continue = False
        self.headers = []
        self.scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1",
            "server": self._server,
            "client": self._client,
            "scheme": "http",
            "root_path": "",
            "headers": self.headers,
            "state": self._app_state.copy(),
        }

    def on_url(self, url: bytes) -> None:
        """Takes a part of the request's target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes one more header."""
        name = name.lower()
        self.headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self.expects_continue = True

    def on_headers_complete(self) -> None:
        """Hands the request to the application, or lets it wait for the one before it."""
        scope, parser, before = self.scope, self.parser, self.exchange
        assert scope is not None  # noqa: S101  # the parser begins with on_message_begin
        version = parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path or b"/"  # RFC 9112, section 3.2.2: http://host may stand for it
        path = raw_path.decode("ascii")
        scope["http_version"] = version
        scope["method"] = parser.get_method().decode("ascii")
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = url.query or b""
        keep_alive = version != "1.0" and parser.should_keep_alive()
        # A client of HTTP/1.0 would take "100 Continue" for its answer: RFC 9110, section 10.1.1.
        expects_continue = self.expects_continue and version != "1.0"
        self.exchange = Exchange(self, scope, keep_alive=keep_alive, expects_continue=expects_continue)
        if before is None or before.response_complete:
            self._start(self.exchange)
        else:
            self.pause_reading()
            self.pipeline.appendleft(self.exchange)

    def on_chunk_header(self) -> None:
        """Begins a part of a body without a length; the last one is empty, and its headers are not the request's.

        RFC 9110, section 6.5.1: trailers may not be merged with the headers, of which a proxy may have checked each.
        """
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        assert self.exchange is not None  # noqa: S101  # its headers were complete
        self.exchange.add_body(body)

    def on_message_complete(self) -> None:
        """Ends the body of the request."""
        assert self.exchange is not None  # noqa: S101  # its headers were complete
        self.exchange.end_body()

    # For the exchange.

    def default_head(self) -> bytes:
        """Returns the headers that each answer has, and the end of the head."""
        return self.server_state.default_head()

    def end_exchange(self) -> None:
        """Turns to the next request, or waits for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.resume_reading()
        if self.pipeline:
            self._start(self.pipeline.pop())
        else:
            state = self.server_state
            state.idling.start(self, state.keep_alive_s, self.transport.close, self.loop)

    def stop_idling(self) -> None:
        """Ends the time that the connection may wait for the next request."""
        self.server_state.idling.cancel(self, self.server_state.keep_alive_s)

    def pause_reading(self) -> None:
        """Reads no more, since the application is behind."""
        if not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads on from the connection."""
        if self._read_paused:
            self._read_paused = False
            self.transport.resume_reading()

    async def writable(self) -> None:
        """Waits until the client has taken some of its answer, or has left."""
        await self._writable.wait()

    # Backpressure.

    def pause_writing(self) -> None:
        """Notes that the client does not take its answer."""
        self.write_paused = True
        self._writable.clear()

    def resume_writing(self) -> None:
        """Notes that the client takes its answer again."""
        self.write_paused = False
        self._writable.set()

    def _start(self, exchange: Exchange) -> None:
        self.answering = exchange
        exchange.start(self._app, self.server_state.tasks)


def _address(transport: asyncio.BaseTransport, name: str) -> tuple[str, int | None] | None:
    """Host and port of one end, or the path of a Unix socket; None if it has no name."""
    try:
        found = transport.get_extra_info(name)
    except OSError:  # closed already
        return None
    if isinstance(found, tuple):
        return str(found[0]), int(found[1])
    return (found, None) if found and isinstance(found, str) else None
