"""Private parts of uvicorn: those that are used are named, and are there."""

import ast
import asyncio
import inspect
import time
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import app.process.connection
from app.config.sections import ConnectionLimits
from app.process.concurrency import BURST_S, ConcurrencyLimit
from app.process.connection import UVICORN, Connection
from app.process.connections import Connections, Phase
from app.process.server import Server
from app.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[3]
OURS = {"Server": Server, "ServerState": Connections, "HttpToolsProtocol": Connection}
PROMISED = {"connection_made", "data_received", "eof_received", "pause_writing", "resume_writing"}
"""Methods of `asyncio.Protocol`."""


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


def opened(state: Connections, transport: Transport) -> Connection:
    """A connection that was just accepted; call it on an event loop."""
    config = uvicorn.Config(_never, http=Connection, ws="none", log_config=None)
    config.load()
    connection = Connection(config, state, {})
    connection.connection_made(transport)
    return connection


def _of_self(kind: type) -> set[str]:
    """Attributes that the methods of a class read or set on `self`."""
    return {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(kind)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }


def _borrowed(kind: type) -> set[str]:
    """Attributes and methods of a class of ours that belong to uvicorn's class which it extends."""
    base = kind.__mro__[1]
    brought = _of_self(base) | set(vars(base))
    return {name for name in (_of_self(kind) | set(vars(kind))) & brought if not name.startswith("__")} - PROMISED


@pytest.mark.parametrize("name", OURS)
def test_no_private_part_is_used_that_is_not_named(name: str) -> None:
    assert _borrowed(OURS[name]) == set(UVICORN[name])


def test_no_attribute_of_a_cycle_is_used_that_is_not_named() -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(app.process.connection)))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("cycle", "self.cycle")
    }
    assert used == set(UVICORN["RequestResponseCycle"])


def test_the_minor_version_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (pin,) = [line for line in project["dependencies"] if line.startswith("uvicorn")]
    major, minor = map(int, version("uvicorn").split(".")[:2])
    assert pin == f"uvicorn>={major}.{minor},<{major}.{minor + 1}"


@pytest.mark.anyio
async def test_the_private_parts_tell_the_phases(state: Connections) -> None:
    connection = opened(state, Transport())
    assert state.connections == {connection}
    assert connection._current()[0] is Phase.SILENT
    connection.data_received(b"POST / HTTP/1.1\r\nHost: a\r\n")
    assert connection._current()[0] is Phase.HEADERS
    connection.data_received(b"Content-Length: 4\r\n\r\nab")
    assert connection._current()[0] is Phase.BODY
    connection.data_received(b"cd")
    assert connection._current()[0] is Phase.ANSWERING
    for name in UVICORN["RequestResponseCycle"]:
        assert hasattr(connection.cycle, name), name
    connection.pause_writing()
    assert connection._current()[0] is Phase.SENDING
    connection.resume_writing()
    connection.cycle.response_complete = True
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
    assert connection.cycle is not None  # the application has it


@pytest.mark.anyio
async def test_a_request_behind_another_of_its_connection_keeps_its_turn(state: Connections) -> None:
    transport = Transport()
    connection = opened(state, transport)
    connection.data_received(request())
    flooded(state)
    connection.data_received(request())
    assert transport.written == b""
    assert len(connection.pipeline) == 1
