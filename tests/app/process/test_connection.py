"""Private parts of uvicorn: those that are used are named, and are there."""

import ast
import asyncio
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import app.process.connection
from app.config.sections import ConnectionLimits
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


async def _never(_scope: Any, _receive: Any, _send: Any) -> None:
    await asyncio.sleep(60)


@pytest.fixture
def state() -> Connections:
    return Connections(ConnectionLimits(headers_timeout_s=5, transfer_timeout_s=7), 1024, Metrics())


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
