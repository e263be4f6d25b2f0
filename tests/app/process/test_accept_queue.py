import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.process.accept_queue import AcceptQueue
from app.process.acceptor import Acceptor
from app.process.concurrency import ConcurrencyLimit
from app.telemetry.metrics import Metrics

BODY = b'{"inputs":"a good film"}'
REQUEST = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


class HandedOver(asyncio.Protocol):
    """Remembers what it received."""

    def __init__(self, found: list[bytes]) -> None:
        self._found = found

    def data_received(self, data: bytes) -> None:
        self._found.append(data)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        sock.setblocking(False)
        yield sock


def connect(listening: socket.socket, found: list[bytes]) -> Callable[[socket.socket], None]:
    return Acceptor(listening, lambda: HandedOver(found), lambda: 0, [0]).connect


def full() -> ConcurrencyLimit:
    """A limit that is reached, in the middle of a flood."""
    limit = ConcurrencyLimit(1)
    limit.watch(["/predict"], Metrics().requests.refused)
    limit.under_way = 1
    refusal = limit.refusal_for(b"/predict")
    assert refusal is not None
    limit.count(refusal, time.monotonic())
    limit.take_refused()
    return limit


def client(listening: socket.socket, request: bytes) -> socket.socket:
    sock = socket.create_connection(listening.getsockname(), timeout=10)
    sock.sendall(request)
    return sock


def all_of(sock: socket.socket) -> bytes:
    found = b""
    while piece := sock.recv(65536):
        found += piece
    return found


@pytest.mark.anyio
async def test_the_length_is_that_of_the_kernel_by_process(listening: socket.socket) -> None:
    found: list[bytes] = []
    queues = [AcceptQueue(listening, full(), share=share, connect=connect(listening, found)) for share in (1, 2)]
    assert [queue.length() for queue in queues] == [0, 0]
    clients = [client(listening, b"") for _ in range(6)]
    assert [queue.length() for queue in queues] == [6, 3]
    for sock in clients:
        sock.close()


@pytest.mark.anyio
async def test_what_is_too_much_is_refused_in_order_and_no_answer_is_lost(listening: socket.socket) -> None:
    found: list[bytes] = []
    limit = full()
    queue = AcceptQueue(listening, limit, share=1, connect=connect(listening, found))
    limit.under_way = 0  # of four, one has room
    clients = [client(listening, REQUEST) for _ in range(4)]
    queue.shed(time.monotonic())
    assert (queue.length(), limit.waiting, limit.take_refused()) == (1, 1, 3)
    clients.pop().close()
    for sock in clients:
        with sock:
            answer = all_of(sock)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer


@pytest.mark.anyio
@pytest.mark.parametrize(
    "request_",
    [
        HEALTH,
        REQUEST[:-1],
        REQUEST.replace(b"/predict", b"/explain"),
        REQUEST.replace(b"Content-Length", b"X"),
        b"POST /predict HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000,
        REQUEST.replace(b"\r\n", b"\r\norigin: https://ui.example\r\n", 1),
    ],
    ids=["another method", "the end is missing", "another route", "no length", "large", "of another site"],
)
async def test_others_are_handed_over_with_all_that_came(listening: socket.socket, request_: bytes) -> None:
    found: list[bytes] = []
    limit = full()
    limit.cross_origin = True
    queue = AcceptQueue(listening, limit, share=1, connect=connect(listening, found))
    with client(listening, request_):
        queue.shed(time.monotonic())
        async with asyncio.timeout(10):
            while len(b"".join(found)) < len(request_):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert b"".join(found) == request_


@pytest.mark.anyio
async def test_one_that_has_sent_nothing_is_handed_over(listening: socket.socket) -> None:
    found: list[bytes] = []
    queue = AcceptQueue(listening, full(), share=1, connect=connect(listening, found))
    with client(listening, b"") as sock:
        queue.shed(time.monotonic())
        await asyncio.sleep(0.05)
        sock.sendall(REQUEST)
        async with asyncio.timeout(10):
            while not found:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert found == [REQUEST]


@pytest.mark.anyio
async def test_a_client_that_has_left_harms_nobody(listening: socket.socket) -> None:
    queue = AcceptQueue(listening, full(), share=1, connect=connect(listening, []))
    for _ in range(3):
        client(listening, REQUEST).close()
    queue.shed(time.monotonic())
    assert queue.length() == 0


@pytest.mark.anyio
async def test_a_server_that_leaves_has_no_queue(listening: socket.socket) -> None:
    queue = AcceptQueue(listening, full(), share=1, connect=connect(listening, []))
    with client(listening, REQUEST):
        listening.close()
        queue.shed(time.monotonic())
    assert queue.length() == 0


def test_a_unix_socket_tells_no_length(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as sock:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        sock.connect(str(tmp_path / "s"))
        queue = AcceptQueue(listening, full(), share=1, connect=connect(listening, []))
        assert queue.length() == 0
        queue.shed(time.monotonic())
