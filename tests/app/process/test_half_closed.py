"""Clients that shut their sending side: they get their answers, and those that close altogether cost no work."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.process.half_closed import BEGINNING, Begun, has_left
from app.process.listening import listen
from app.process.server import Server
from app.process.service import Service
from tests.app.conftest import FakeClassifier, make_app, make_settings, service_of, until

BODY = b'{"inputs":"a good film"}'
REQUEST = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNKED = b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
    len(BODY),
    BODY,
)
STREAM = b"POST /predict/stream HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@pytest.fixture(params=["tcp", "unix"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings of where to listen."""
    return {"unix_socket": tmp_path / "socket"} if request.param == "unix" else {"port": 0}


@asynccontextmanager
async def served(classifier: FakeClassifier, network: dict[str, Any]) -> AsyncIterator[tuple[Service, Any]]:
    """The service, and the address of its server."""
    settings = make_settings(**network)
    app = make_app(settings, {"sentiment": classifier})
    service, sock = service_of(app), listen(settings.network, settings.connections)
    server = Server(app, service, sock)
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: service.registry.ready)
        yield service, sock.getsockname()
    finally:
        classifier.gate.set()
        server.should_exit = True
        await asyncio.wait_for(serving, 10)


async def connected(address: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await (
        asyncio.open_unix_connection(address) if isinstance(address, str) else asyncio.open_connection(*address)
    )


def dropped(service: Service) -> int:
    counts = dict(service.metrics.snapshot()["sluice_texts_dropped"])
    return int(counts.get(("sentiment", "disconnect"), [0])[0])


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [REQUEST, CHUNKED, REQUEST.replace(b"/1.1", b"/1.0")], ids=["plain", "chunked", "1.0"])
@pytest.mark.parametrize("wait_s", [0.0, 0.3])
async def test_who_sends_no_more_gets_the_answer(
    classifier: FakeClassifier, network: dict[str, Any], sent: bytes, wait_s: float
) -> None:
    async with served(classifier, network) as (service, address):
        classifier.gate.clear()
        reader, writer = await connected(address)
        writer.write(sent)
        writer.write_eof()
        await until(classifier.entered.is_set)
        await asyncio.sleep(wait_s)
        classifier.gate.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert dropped(service) == 0
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"}")


@pytest.mark.anyio
async def test_all_of_a_pipeline_are_answered(classifier: FakeClassifier, network: dict[str, Any]) -> None:
    async with served(classifier, network) as (_, address):
        classifier.gate.clear()
        reader, writer = await connected(address)
        writer.write(REQUEST * 3)
        writer.write_eof()
        await until(classifier.entered.is_set)
        await asyncio.sleep(0.2)
        classifier.gate.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3


@pytest.mark.anyio
async def test_a_stream_is_answered_to_its_end(classifier: FakeClassifier, network: dict[str, Any]) -> None:
    async with served(classifier, network) as (_, address):
        classifier.gate.clear()
        reader, writer = await connected(address)
        writer.write(STREAM)
        writer.write_eof()
        await asyncio.sleep(0.2)
        classifier.gate.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert b'"tokens":3' in answer
    assert answer.endswith(b"0\r\n\r\n")


@pytest.mark.anyio
async def test_work_for_who_has_left_is_dropped(classifier: FakeClassifier, network: dict[str, Any]) -> None:
    """Among those that wait: the next batch holds the text of the one that stayed."""
    async with served(classifier, network) as (service, address):
        classifier.gate.clear()
        _, first = await connected(address)
        first.write(REQUEST)
        await until(classifier.entered.is_set)
        (stayed, writer), (_, left) = await connected(address), await connected(address)
        for client in (writer, left):
            client.write(REQUEST)
        admission = service.registry.get(None).batcher.admission
        await until(lambda: admission.texts == 3)
        writer.write_eof()
        left.close()
        first.close()
        await until(lambda: dropped(service) == 2)
        assert admission.texts == 1
        classifier.gate.set()
        assert (await asyncio.wait_for(stayed.read(), 5)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
    assert sum(map(len, classifier.batches)) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [b"", REQUEST[:30], REQUEST[:-3]], ids=["nothing", "headers", "body"])
async def test_half_a_request_is_closed_at_once(
    classifier: FakeClassifier, network: dict[str, Any], sent: bytes
) -> None:
    async with served(classifier, network) as (_, address):
        reader, writer = await connected(address)
        writer.write(sent)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as near:
        far, _ = server.accept()
        with far:
            yield near, far


class Transport(asyncio.Transport):
    """Writes into a socket at once."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__({"socket": connected})
        self.socket = connected

    def write(self, data: Any) -> None:
        self.socket.sendall(data)

    def is_closing(self) -> bool:
        return False


def test_who_has_left_shows_once_something_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    transport = Transport(near)
    assert not has_left(transport)
    far.shutdown(socket.SHUT_WR)
    begun = Begun(transport)
    begun.write(b"HTTP/1.1 200 OK\r\n\r\n")
    begun.write(b"HTTP/1.1 of a body")
    assert far.recv(100)
    assert not has_left(transport)
    assert begun.is_closing() is False
    far.close()
    assert not has_left(transport)
    near.sendall(BEGINNING)
    assert has_left(transport)
    assert not has_left(asyncio.Transport())


def test_the_beginning_is_sent_once(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    begun = Begun(Transport(near))
    assert far.recv(100) == BEGINNING
    begun.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert far.recv(100) == b"200 OK\r\n\r\n"
    begun.write(b"HTTP/1.1 of a body")
    assert far.recv(100) == b"HTTP/1.1 of a body"
