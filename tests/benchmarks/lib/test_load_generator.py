"""The load generator, against servers that answer as told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from benchmarks.lib.load_generator import (
    LOST,
    OK,
    Connection,
    Tally,
    chunks,
    closed_loop,
    connect,
    content_length,
    render,
)
from benchmarks.lib.open_loop import OpenLoop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def server(answer: Callable[[int], bytes], *, piece: int = 10_000, delay_s: float = 0.0) -> AsyncIterator[int]:
    """A server that answers the nth request by `answer`, in pieces; an empty answer closes the connection."""
    number = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(content_length(head))
                number += 1
                whole = answer(number)
                await asyncio.sleep(delay_s)
                for start in range(0, len(whole), piece):
                    writer.write(whole[start : start + piece])
                    await asyncio.sleep(0)
                if not whole:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def ask(connection: Connection, request: bytes = render(["a"])) -> tuple[int, bytes]:
    return await asyncio.wait_for(connection.ask(request), 5)


def test_a_request_says_how_long_it_is() -> None:
    head, _, body = render(["é"], model="m").partition(b"\r\n\r\n")
    assert content_length(head) == len(body)
    assert b'"model": "m"' in body


def test_chunks_are_whole() -> None:
    texts = list("abcdefg")
    assert chunks(texts, 3) == [["a", "b", "c"], ["d", "e", "f"]]
    assert chunks(texts, 10) == [texts]


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_answers_in_pieces_are_put_together(piece: int) -> None:
    async def scenario() -> list[tuple[int, bytes]]:
        async with server(lambda n: ANSWER if n % 2 else REFUSED, piece=piece) as port:
            connection = await connect(port)
            answers = [await ask(connection) for _ in range(3)]
            connection.close()
            return answers

    assert uvloop.run(scenario()) == [(200, b"{}"), (503, b""), (200, b"{}")]


def test_a_broken_connection_is_told_and_stays_broken() -> None:
    async def scenario() -> list[int]:
        async with server(lambda n: ANSWER if n == 1 else b"") as port:
            connection = await connect(port)
            return [(await ask(connection))[0] for _ in range(3)]

    assert uvloop.run(scenario()) == [OK, LOST, LOST]


def test_a_closed_loop_counts_all_answers_and_times_the_good_ones() -> None:
    async def scenario() -> Tally:
        async with server(lambda n: ANSWER if n % 2 else REFUSED) as port:
            return await closed_loop(port, [render(["a"])], connections=2, seconds=0.3)

    tally = uvloop.run(scenario())
    assert set(tally.statuses) == {200, 503}
    assert tally.share(503) == pytest.approx(0.5, abs=0.1)
    assert len(tally.latencies) == tally.statuses[OK]
    assert tally.rate == tally.statuses[OK] / 0.3


def test_an_open_loop_does_not_wait_for_answers() -> None:
    async def scenario() -> OpenLoop:
        async with server(lambda _: ANSWER, delay_s=0.3) as port:
            loop = OpenLoop(port, [render(["a"])], per_second=100, seconds=0.5)
            await loop.run()
            return loop

    loop = uvloop.run(scenario())
    # One after another they would take 15 seconds; the last one's answer comes after the last was sent.
    assert loop.tally.seconds < 5
    assert loop.tally.statuses[OK] + loop.drained.statuses[OK] == 50
    assert loop.drained.statuses[OK] >= 1
    assert min(loop.tally.latencies + loop.drained.latencies) >= 0.25  # timers are coarse


def test_an_open_loop_leaves_its_first_moments_out() -> None:
    """The first requests open connections, which is slow; here their answers are."""

    async def scenario() -> OpenLoop:
        async with server(lambda n: REFUSED if n <= 5 else ANSWER) as port:
            loop = OpenLoop(port, [render(["a"])], per_second=100, seconds=0.2, warm_up_s=0.2)
            await loop.run()
            return loop

    loop = uvloop.run(scenario())
    assert loop.unanswered == 0
    assert loop.tally.sent == loop.tally.statuses.total() + loop.drained.statuses.total() == 20
    assert loop.tally.statuses[503] == 0
    assert loop.tally.seconds == pytest.approx(0.2, rel=0.5)


def test_an_open_loop_counts_what_nobody_answers() -> None:
    async def scenario() -> Tally:
        async with server(lambda _: b"") as port:
            loop = OpenLoop(port, [render(["a"])], per_second=100, seconds=0.2)
            tally = await loop.run()
            tally.statuses += loop.drained.statuses
            return tally

    tally = uvloop.run(scenario())
    assert tally.statuses == {LOST: 20}
    assert tally.latencies == []
