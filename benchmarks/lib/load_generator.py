"""A load generator on asyncio: keep-alive connections that send rendered requests and note status and time.

Reads answers with a Content-Length only. An order faster than httpx, a few times slower than wrk.
"""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

OK = 200
LOST = 0
"""Status of a request whose connection broke."""

Seen = Callable[[bytes, int, bytes], None]
"""Told of each answer: the request, the status and the body."""


def render(texts: Sequence[str], path: str = "/predict", *, close: bool = False, **fields: object) -> bytes:
    r"""A whole request, ready to be sent.

    >>> render(["é"]).partition(b"\r\n\r\n")[2]
    b'{"inputs": ["\\u00e9"]}'
    """
    body = json.dumps({"inputs": list(texts), **fields}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Connection: close\r\n" * close
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunks(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    """Consecutive texts, `size` at a time; the last few that do not fill a chunk are left out unless they are all.

    >>> chunks("abcde", 2)
    ['ab', 'cd']
    """
    whole = [texts[start : start + size] for start in range(0, len(texts) - size + 1, size)]
    return whole or [texts]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed (nearest rank); NaN of no values.

    >>> percentile([4, 1, 3, 2], 50), percentile([4, 1, 3, 2], 99)
    (2, 4)
    """
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


@dataclass(slots=True)
class Tally:
    """Counts and latencies of answers, by status.

    Attributes:
        seconds: that the counting lasted.
        statuses: answers by status, `LOST` for broken connections.
        latencies: seconds of each answer with 200, from when the request was due.
        refusals: the same of each other answer.
        sent: requests that left, answered or not.
    """

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    sent: int = 0

    @property
    def rate(self) -> float:
        """Answers with 200 a second."""
        return self.statuses[OK] / self.seconds

    def share(self, status: int) -> float:
        """Number of answers with `status`."""
        return self.statuses[status] / max(1, self.statuses.total())

    def add(self, status: int, latency: float) -> None:
        """Adds one answer with its status and latency."""
        self.statuses[status] += 1
        (self.latencies if status == OK else self.refusals).append(latency)


class Connection(asyncio.Protocol):
    """One request at a time; the answer is its status and body."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._received = bytearray()
        self._end: int | None = None

    @property
    def open(self) -> bool:
        """True while the connection can take another request."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the transport when asyncio has connected."""
        # Not a subclass under uvloop.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Sends a rendered request; resolves to status and body, `LOST` if the connection breaks."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self._answer.set_result((LOST, b""))
        else:
            self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Reads bytes of an answer that asyncio received."""
        received = self._received
        received += data
        if self._end is None:
            head = received.find(b"\r\n\r\n")
            if head < 0:
                return
            self._end = head + 4 + content_length(bytes(received[:head]))
        if len(received) >= self._end and self._answer is not None:
            body_start = received.find(b"\r\n\r\n") + 4
            closes = b"\r\nconnection: close\r\n" in received[:body_start].lower()
            status, body = int(received[9:12]), bytes(received[body_start : self._end])
            del received[: self._end]
            self._end = None
            if closes:
                self.close()
            if not self._answer.done():
                self._answer.set_result((status, body))

    def connection_lost(self, error: Exception | None) -> None:
        """Fails waiting requests when asyncio lost the connection."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((LOST, b""))

    def close(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()


def content_length(head: bytes) -> int:
    r"""Body length from the head of an answer, 0 if it names none.

    >>> content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 12")
    12
    """
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


async def connect(port: int) -> Connection:
    """Opens a new keep-alive connection."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def unseen(_request: bytes, _status: int, _body: bytes) -> None:
    """Looks at no answer."""


async def closed_loop(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    warm_up_s: float = 0.0,
    seen: Seen = unseen,
) -> Tally:
    """Each connection sends the next request when it has its answer; counts what ends after `warm_up_s`."""
    tally = Tally()
    begin = time.perf_counter() + warm_up_s
    end = begin + seconds
    rest = cycle(requests)

    async def one() -> None:
        connection = await connect(port)
        while (due := time.perf_counter()) < end:
            if not connection.open:
                connection = await connect(port)
            request = next(rest)
            status, body = await connection.ask(request)
            now = time.perf_counter()
            seen(request, status, body)
            tally.sent += 1
            if begin <= now < end:
                tally.add(status, now - due)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    tally.seconds = seconds
    return tally


async def every(port: int, requests: Sequence[bytes], seen: Seen, *, connections: int = 8) -> None:
    """Sends each request once."""
    rest = iter(requests)

    async def one() -> None:
        connection = await connect(port)
        for request in rest:
            seen(request, *await connection.ask(request))
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))


def cycle(requests: Sequence[bytes]) -> Iterator[bytes]:
    """The requests over and over, without end."""
    while True:
        yield from requests
