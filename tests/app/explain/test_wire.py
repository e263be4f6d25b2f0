"""Tests messages between a server and its process that explains."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from app.explain.wire import Reply, pack, read, receive


@pytest.mark.parametrize("cut", [0, 3, 8, 12, -1])
def test_half_a_message_is_the_end(cut: int) -> None:
    whole = pack(Reply(tokens=3), b"body")
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as file:
        ours.sendall(whole + whole[:cut])
        ours.shutdown(socket.SHUT_WR)
        assert read(file, Reply) == (Reply(tokens=3), b"body")
        assert read(file, Reply) is None


async def _received(content: bytes, count: int) -> Sequence[tuple[Reply, bytes]]:
    reader = asyncio.StreamReader()
    reader.feed_data(content)
    reader.feed_eof()
    return [await receive(reader, Reply) for _ in range(count)]


def test_the_server_reads_the_same() -> None:
    large = b"x" * 1_000_000
    content = pack(Reply(tokens=1), large) + pack(Reply("call", detail="é"))
    assert asyncio.run(_received(content, 2)) == [(Reply(tokens=1), large), (Reply("call", detail="é"), b"")]
    with pytest.raises(EOFError):
        asyncio.run(_received(content, 3))
