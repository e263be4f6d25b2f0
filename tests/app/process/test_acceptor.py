import asyncio
import errno
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

from app.process.acceptor import AWAY, LEAVE_S, Acceptor
from tests.app.conftest import until


class Held(asyncio.Protocol):
    """A connection that is one of `held` while it is open, and tells its acceptor when it is closed."""

    def __init__(self, held: set["Held"], acceptor: list[Acceptor]) -> None:
        self._held, self._acceptor = held, acceptor

    def connection_made(self, _transport: asyncio.BaseTransport) -> None:
        self._held.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._held.discard(self)
        self._acceptor[0].publish()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        yield sock


@asynccontextmanager
async def accepting(listening: socket.socket, counts: list[int], index: int = 0) -> AsyncIterator[Acceptor]:
    held: set[Held] = set()
    own: list[Acceptor] = []
    own.append(Acceptor(listening, lambda: Held(held, own), held.__len__, counts, index))
    own[0].start()
    try:
        yield own[0]
    finally:
        own[0].close()


@contextmanager
def clients(listening: socket.socket, number: int) -> Iterator[list[socket.socket]]:
    """Connections that are opened one after the other, as a pool of a client does."""
    found = [socket.create_connection(listening.getsockname(), timeout=10) for _ in range(number)]
    try:
        yield found
    finally:
        for sock in found:
            sock.close()


@pytest.mark.anyio
async def test_connections_are_counted_while_they_are_open(listening: socket.socket) -> None:
    counts = [AWAY]
    async with accepting(listening, counts):
        assert counts == [0]
        with clients(listening, 3):
            await until(lambda: counts == [3])
        await until(lambda: counts == [0])
    assert counts == [AWAY]


@pytest.mark.anyio
async def test_one_with_more_leaves_a_connection_to_another_for_a_moment(listening: socket.socket) -> None:
    counts = [AWAY, 0]
    async with accepting(listening, counts):
        with clients(listening, 1):
            await until(lambda: counts == [1, 0])
            before = time.monotonic()
            with clients(listening, 1):
                assert counts == [1, 0]
                await until(lambda: counts == [2, 0])  # nobody else took it
            assert time.monotonic() - before >= LEAVE_S


@pytest.mark.anyio
@pytest.mark.parametrize("counts", [[AWAY, AWAY], [AWAY, 9]], ids=["the other is away", "the other has more"])
async def test_one_with_no_more_takes_them_at_once(
    listening: socket.socket, counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.process.acceptor.LEAVE_S", 60.0)
    other = counts[1]
    async with accepting(listening, counts):
        with clients(listening, 8):
            await until(lambda: counts[0] == 8)  # one that leaves would leave for a minute
            assert counts == [8, other]


@pytest.mark.anyio
async def test_many_are_even_enough_with_an_eighth_more(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.process.acceptor.LEAVE_S", 60.0)
    counts = [AWAY, 0]
    async with accepting(listening, counts):
        counts[1] = 16
        with clients(listening, 18):
            await until(lambda: counts[0] == 18)
            with clients(listening, 2):
                await until(lambda: counts[0] == 19)
                await asyncio.sleep(0.05)
                assert counts == [19, 16]


@pytest.mark.anyio
async def test_without_room_for_a_file_it_tries_again(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.process.acceptor.RETRY_S", 0.05)
    failures = [OSError(errno.EMFILE, os.strerror(errno.EMFILE))]
    accept = socket.socket.accept

    def failing(self: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", failing)
    counts = [AWAY]
    with caplog.at_level(logging.ERROR):
        async with accepting(listening, counts):
            with clients(listening, 1):
                await until(lambda: counts == [1])
    assert [record.message for record in caplog.records] == ["no connection can be accepted; trying again"]


@pytest.mark.anyio
async def test_a_client_that_has_left_is_no_connection(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def left(*_: object) -> None:
        raise ConnectionResetError

    counts = [AWAY]
    async with accepting(listening, counts) as acceptor:
        ours, theirs = socket.socketpair()
        with closing(theirs):
            monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", left, raising=False)
            acceptor.connect(ours)
            assert counts == [1]
            await until(lambda: counts == [0])
        assert ours.fileno() == -1
