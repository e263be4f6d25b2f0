"""Content codings of request bodies: gzip, deflate and zstd, inflated a bounded piece at a time.

A piece of 64 KiB takes 0.1 to 0.4 ms, so it is inflated on the event loop: handing over to a thread costs as much.
Other requests get their turn between two pieces, and nothing is inflated before the reader asks for it. A body that
would grow to gigabytes costs no more than the bytes that the reader takes of it.
"""

import asyncio
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from starlette.types import Message, Receive, Scope

from app.core.errors import BodyTooLarge, BrokenEncoding, UnsupportedEncoding

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

PIECE_BYTES = 65_536

WINDOW_LOG_MAX = 23
"""Windows of zstd up to 8 MiB: a body could make the server keep gigabytes. Source: RFC 9659, section 3."""

FREE_MEMBERS, MEMBER_BYTES = 1000, 256
"""A body may have so many members (gzip) or frames (zstd), and one more for so many bytes of content: empty ones cost
time and add nothing to the size that is bounded."""

MAX_CODINGS = 3
"""Codings of one body, one over the other. A gateway may compress what its client has compressed already."""


class _Member(Protocol):
    """One compressed member; `zlib` and `zstd` each have another interface for what is left of the input."""

    @property
    def eof(self) -> bool: ...

    @property
    def rest(self) -> bytes: ...

    def inflate(self, data: bytes) -> bytes: ...


class _Zlib:
    """Member of gzip, or the one of deflate.

    Args:
        wbits: see `zlib.decompressobj`.
    """

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        return self._decoder.unused_data or self._decoder.unconsumed_tail

    def inflate(self, data: bytes) -> bytes:
        return self._decoder.decompress(data, PIECE_BYTES)


class _Zstd:
    """Frame of zstd, which keeps what is left of its input."""

    def __init__(self) -> None:
        self._decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX})

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        return self._decoder.unused_data

    def inflate(self, data: bytes) -> bytes:
        return self._decoder.decompress(data, PIECE_BYTES)


def _gzip(_start: bytes) -> _Member:
    return _Zlib(16 + zlib.MAX_WBITS)


def _deflate(start: bytes) -> _Member:
    """Chooses by the first two bytes: zlib's format, as RFC 9110 has it, or the bare one that some clients send."""
    has_header = start[0] & 15 == zlib.DEFLATED and int.from_bytes(start, "big") % 31 == 0
    return _Zlib(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _zstd(_start: bytes) -> _Member:
    return _Zstd()


CODINGS: Mapping[bytes, Callable[[bytes], _Member]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"zstd": _zstd,
}
"""What begins a member, given its first two bytes, by the name of the coding."""


class Inflater:
    r"""Inflates a body that comes in pieces.

    Args:
        coding: one of `CODINGS`.

    >>> inflater = Inflater(b"gzip")
    >>> body = zlib.compress(b"one", wbits=31) + zlib.compress(b"two", wbits=31)
    >>> b"".join([*inflater.feed(body[:30]), *inflater.feed(body[30:], last=True)])
    b'onetwo'
    """

    def __init__(self, coding: bytes) -> None:
        self._begin = CODINGS[coding]
        self._many = coding != b"deflate"
        self._member: _Member | None = None
        self._held = b""
        self._num_members = self._num_bytes = 0

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[bytes]:
        """Yields what `data` holds, in pieces of at most `PIECE_BYTES` of which some are empty.

        Raises:
            BrokenEncoding: it does not have this coding, or the last piece ends too early.
        """
        try:
            for start in range(0, len(data), PIECE_BYTES):
                yield from self._feed(self._held + data[start : start + PIECE_BYTES])
            if last and (self._held or not (self._member is None or self._member.eof)):
                raise BrokenEncoding("The compressed body ends too early.")
        except (zlib.error, zstd.ZstdError):
            raise BrokenEncoding from None

    def _feed(self, data: bytes) -> Iterator[bytes]:
        self._held = b""
        full = False
        while data or full:
            member = self._member
            if member is None or member.eof:
                if self._num_members:
                    data = data.lstrip(b"\0")  # padding, as gzip itself allows it
                if len(data) < 2:
                    self._held = data
                    return
                member = self._next_member(data[:2])
            piece = member.inflate(data)
            data = member.rest
            full = len(piece) == PIECE_BYTES and not member.eof
            self._num_bytes += len(piece)
            yield piece

    def _next_member(self, start: bytes) -> _Member:
        self._num_members += 1
        if not self._many and self._num_members > 1:
            raise BrokenEncoding
        if self._num_members > FREE_MEMBERS + self._num_bytes // MEMBER_BYTES:
            raise BrokenEncoding("The compressed body has too many members for its size.")
        self._member = self._begin(start)
        return self._member


def codings_of(headers: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """Returns the codings of a request's body, in the order in which they were applied (RFC 9110, section 8.4).

    Raises:
        UnsupportedEncoding: one of them is not known, or there are too many.
    """
    values = b",".join(value for name, value in headers if name == b"content-encoding")
    codings = [coding for part in values.split(b",") if (coding := part.strip().lower()) not in (b"", b"identity")]
    if len(codings) > MAX_CODINGS or not CODINGS.keys() >= set(codings):
        raise UnsupportedEncoding
    return codings


def inflated(scope: Scope, receive: Receive, max_bytes: int | None = None) -> Receive:
    """Returns a `receive` that gives the request's body without its codings, or the same one if it has none.

    Args:
        scope, receive: of the request.
        max_bytes: of the body without the last coding, without the last two, and so on: what one coding may inflate a
            thousandfold, two may a millionfold. None admits one coding and bounds nothing.

    Raises:
        UnsupportedEncoding: it has a coding that the server does not know, or too many.
    """
    codings = codings_of(scope["headers"])
    if max_bytes is None and len(codings) > 1:
        raise UnsupportedEncoding("Send the stream as it is, or compressed once by gzip, deflate or zstd.")
    for coding in reversed(codings):
        receive = _Inflated(receive, Inflater(coding), max_bytes)
    return receive


class _Inflated:
    """ASGI `receive` of a body without one coding."""

    def __init__(self, receive: Receive, inflater: Inflater, max_bytes: int | None) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._inflater = inflater
        self._pieces: Iterator[bytes] = iter(())
        self._more = True
        self._over = False

    async def __call__(self) -> Message:
        """Returns the next piece of the body; after the last one, whatever else befalls the connection.

        Raises:
            BrokenEncoding: the body does not have its coding.
            BodyTooLarge: it is larger than it may be without it.
        """
        if self._over:
            return await self._receive()
        while True:
            try:
                for piece in self._pieces:
                    await asyncio.sleep(0)  # the turn of other requests
                    self._num_bytes += len(piece)
                    if self._max_bytes is not None and self._num_bytes > self._max_bytes:
                        raise BodyTooLarge.over(self._max_bytes)
                    if piece:
                        return {"type": "http.request", "body": piece, "more_body": True}
            except BrokenEncoding:
                self._over = True
                raise
            if not self._more:
                self._over = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._more = message.get("more_body", False)
            self._pieces = self._inflater.feed(message.get("body", b""), last=not self._more)
