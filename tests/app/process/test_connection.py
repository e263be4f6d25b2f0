"""Phases of a connection, and requests that are refused before they are read."""

import asyncio
import time
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from app.config.sections import ConnectionLimits
from app.http.excess import EXCESS
from app.process.concurrency import BURST_S, ConcurrencyLimit
from app.process.connection import Connection
from app.process.connections import Connections, Phase
from app.telemetry.metrics import Metrics


class Transport(asyncio.Transport):
    """Transport to nowhere that remembers what was written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...


async def _never(_scope: Any, _receive: Any, _send: Any) -> None:
    await asyncio.sleep(60)


@pytest.fixture
def state() -> Connections:
    metrics = Metrics()
    requests = ConcurrencyLimit(1)
    requests.watch(["/predict"], metrics.requests.refused)
    return Connections(ConnectionLimits(headers_timeout_s=5, transfer_timeout_s=7), 1024, metrics, requests)


def opened(state: Connections, transport: Transport, app: ASGIApp = _never) -> Connection:
    """A connection that was just accepted; call it on an event loop."""
    config = uvicorn.Config(app, http=Connection, ws="none", log_config=None)
    config.load()
    connection = Connection(config, state, {})
    connection.connection_made(transport)
    return connection


@pytest.mark.anyio
async def test_phases_follow_the_request_and_its_answer(state: Connections) -> None:
    connection = opened(state, Transport())
    assert state.connections == {connection}
    assert connection._current()[0] is Phase.SILENT
    connection.data_received(b"POST / HTTP/1.1\r\nHost: a\r\n")
    assert connection._current()[0] is Phase.HEADERS
    connection.data_received(b"Content-Length: 4\r\n\r\nab")
    assert connection._current()[0] is Phase.BODY
    connection.data_received(b"cd")
    assert connection._current()[0] is Phase.ANSWERING
    connection.pause_writing()
    assert connection._current()[0] is Phase.SENDING
    connection.resume_writing()
    assert connection.exchange is not None
    connection.exchange.response_complete = True
    assert connection._current()[0] is Phase.IDLE
    for task in list(state.tasks):
        task.cancel()


@pytest.mark.anyio
async def test_headers_that_do_not_come_in_time_are_refused(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    connection.data_received(b"POST / HTTP/1.1\r\n")
    connection.check(now=100.0)
    connection.check(now=104.9)
    assert transport.written == b""
    connection.check(now=105.1)
    assert transport.closed
    assert transport.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.anyio
@pytest.mark.parametrize("begun", [b"POST /pre", b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"])
async def test_what_comes_behind_a_request_cuts_no_answer_short(state: Connections, begun: bytes) -> None:
    transport = Transport()
    connection = opened(state, transport)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + begun)
    for now in (100.0, 200.0):
        connection.check(now)
    assert (transport.written, transport.closed) == (b"", False)
    for task in list(state.tasks):
        task.cancel()


BODY = b'{"inputs":"a"}'
REQUEST = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n" + BODY


def request(headers: bytes = b"") -> bytes:
    return REQUEST % (len(BODY), headers)


def flooded(state: Connections) -> None:
    """As many requests as may be are under way, for longer than a burst."""
    state.requests.under_way = 1
    state.requests._last_below = time.monotonic() - 2 * BURST_S


@pytest.mark.anyio
async def test_a_request_too_many_is_refused_and_the_connection_stays(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    flooded(state)
    connection.data_received(request())
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" not in transport.written
    assert (transport.closed, connection._current()[0]) == (False, Phase.IDLE)
    state.requests.under_way = 0
    transport.written = b""
    connection.data_received(request())
    assert (transport.written, state.requests.under_way) == (b"", 1)
    assert connection._current()[0] is Phase.ANSWERING


@pytest.mark.anyio
async def test_the_route_refuses_a_request_too_many_of_a_page_of_another_site(state: Connections) -> None:
    scopes = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        scopes.append(scope)

    flooded(state)
    state.requests.cross_origin = True
    opened(state, Transport(), app).data_received(request(b"Origin: https://ui.example\r\n"))
    await asyncio.gather(*state.tasks)
    assert scopes[0][EXCESS]
    assert (state.requests.under_way, state.requests.take_refused()) == (1, 1)


@pytest.mark.anyio
async def test_a_refused_request_may_come_in_pieces_and_pipelined(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    flooded(state)
    for byte in request():
        assert transport.written == b""
        connection.data_received(bytes([byte]))
    connection.data_received(request() * 3)
    assert transport.written.count(b"HTTP/1.1 503 ") == 4


@pytest.mark.anyio
async def test_a_client_that_is_refused_again_and_again_keeps_its_connection(state: Connections) -> None:
    """Each refusal begins an idle time of its own, wherever the sweeps fall."""
    transport = Transport()
    connection = opened(state, transport)
    flooded(state)
    for now in range(0, 600, 60):
        connection.data_received(request())
        connection.check(float(now))
    assert (transport.written.count(b"HTTP/1.1 503 "), transport.closed) == (10, False)
    keep_alive_s = state.timeouts_s[Phase.IDLE]
    connection.check(540.0 + keep_alive_s - 1)
    assert not transport.closed
    connection.check(540.0 + keep_alive_s + 1)
    assert transport.closed


@pytest.mark.anyio
async def test_refusals_without_end_are_no_headers_without_end(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    flooded(state)
    for _ in range(2000):
        connection.data_received(request(b"X-Padding: %s\r\n" % (b"a" * 100)))
    assert transport.written.count(b"HTTP/1.1 503 ") == 2000
    assert not transport.closed


@pytest.mark.anyio
async def test_a_refused_client_that_closes_is_closed(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    flooded(state)
    connection.data_received(request(b"Connection: close\r\n"))
    assert b"connection: close" in transport.written
    assert transport.closed


@pytest.mark.anyio
@pytest.mark.parametrize(
    "admitted",
    [
        b"GET /predict HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /explain HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        request(b"Expect: 100-continue\r\n"),
        b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n",
    ],
    ids=["another method", "another route", "it waits to be asked", "no length", "large"],
)
async def test_what_cannot_be_refused_unread_goes_the_usual_way(state: Connections, admitted: bytes) -> None:
    transport = Transport()
    connection = opened(state, transport)
    flooded(state)
    connection.data_received(admitted)
    assert b"HTTP/1.1 503 " not in transport.written
    assert connection.exchange is not None  # the application has it


@pytest.mark.anyio
async def test_a_request_behind_another_of_its_connection_keeps_its_turn(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    connection.data_received(request())
    flooded(state)
    connection.data_received(request())
    assert transport.written == b""
    assert len(connection.pipeline) == 1
