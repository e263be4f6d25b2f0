"""Compressed bodies: right, broken, cut short, and made to be large."""

import gzip
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import BodyTooLarge, BrokenEncoding, UnsupportedEncoding
from app.http.body import read_body
from app.http.content_coding import PIECE_BYTES, Inflater, codings_of, inflated, zstd
from tests.app.http.test_body import Client, scope_of

pytestmark = pytest.mark.anyio

BODY = b"".join(b'{"inputs": "film %d"}\n' % (number * 7919 % 10007) for number in range(20_000))


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def without_size(data: bytes) -> bytes:
    """As a program makes it that streams: no size in the frame's header."""
    compressor = zstd.ZstdCompressor()
    return compressor.compress(data[:100]) + compressor.compress(data[100:], zstd.ZstdCompressor.FLUSH_FRAME)


COMPRESSED: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"x-gzip", gzip.compress),
    "gzip, two members": (b"gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "gzip, padded": (b"gzip", lambda data: gzip.compress(data) + bytes(600)),
    "deflate": (b"deflate", zlib.compress),
    "deflate without a header": (b"deflate", raw_deflate),
    "zstd": (b"zstd", zstd.compress),
    "zstd, streamed": (b"zstd", without_size),
    "zstd, two frames": (b"zstd", lambda data: zstd.compress(data[:9]) + zstd.compress(data[9:])),
    "zstd, best": (b"zstd", lambda data: zstd.compress(data, 19)),
}


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


async def read(coding: bytes, chunks: list[bytes], limit: int = 1 << 20) -> bytes:
    return await read_body(scope_of((b"content-encoding", coding)), Client(chunks).receive, limit)


@pytest.mark.parametrize("name", COMPRESSED)
async def test_a_body_is_what_was_compressed_however_it_is_cut(name: str) -> None:
    coding, compress = COMPRESSED[name]
    for body in (b"", b"{}", BODY, bytes(3 * PIECE_BYTES), bytes(PIECE_BYTES - 1)):
        data = compress(body)
        for size in (1, 100, 70_000, len(data) + 1):
            if size > 1 or len(data) < 5000:
                assert await read(coding, [*pieces(data, size), b""]) == body
    assert await read(coding.upper() + b" , identity", [compress(b"{}")]) == b"{}"
    assert await read(coding, [b""]) == b""


@pytest.mark.parametrize("name", COMPRESSED)
async def test_what_was_cut_short_or_altered_is_refused(name: str) -> None:
    coding, compress = COMPRESSED[name]
    data = compress(BODY)
    broken = [data[: len(data) // 2], data[:1], b"{}", BODY, b"\xff\xfe" + data]
    if name not in ("gzip, padded", "deflate without a header"):
        broken += [data[:-1], data + b"{}", data + b"x"]
    for sent in broken:
        with pytest.raises(BrokenEncoding):
            await read(coding, pieces(sent, 1000))


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"zstd"])
async def test_a_bomb_costs_no_more_than_the_limit(coding: bytes) -> None:
    """A hundred megabytes of zeros, of which a sixteenth is inflated; nothing of the last part is read."""
    _, compress = COMPRESSED[coding.decode()]
    sent = [compress(bytes(100 << 20)), b"never read"]
    client = Client(sent)
    limit = 6 << 20
    started = time.process_time()
    with pytest.raises(BodyTooLarge, match=f"larger than {limit} bytes"):
        await read_body(scope_of((b"content-encoding", coding)), client.receive, limit)
    assert time.process_time() - started < 1
    assert client.unread
    inflater = Inflater(coding)
    assert max(map(len, inflater.feed(compress(bytes(1 << 20))))) <= PIECE_BYTES


@pytest.mark.parametrize(
    "header", ["gzip, deflate", "deflate,gzip", "gzip, gzip", "zstd, identity, gzip", "x-gzip, zstd, deflate"]
)
async def test_codings_are_undone_from_the_last_to_the_first(header: str) -> None:
    names = [name for name in header.replace(" ", "").split(",") if name != "identity"]

    def packed(body: bytes) -> bytes:
        for name in names:
            body = COMPRESSED[name][1](body)
        return body

    for body in (b"", b"{}", BODY):
        sent = packed(body)
        for size in (1, 1000, len(sent)):
            if size > 1 or len(sent) < 5000:
                assert await read(header.encode(), pieces(sent, size)) == body
    once_too_few = COMPRESSED[names[0]][1](b"{}")
    for wrong in (once_too_few, packed(b"{}")[:-1], b"{}"):
        with pytest.raises(BrokenEncoding):
            await read(header.encode(), [wrong])


async def test_codings_in_lines_of_their_own_are_one_list() -> None:
    headers = [(b"content-encoding", b"gzip"), (b"content-encoding", b"deflate")]
    sent = zlib.compress(gzip.compress(b"{}"))
    assert await read_body(scope_of(*headers), Client([sent]).receive, 100) == b"{}"


@pytest.mark.parametrize("step", ["first", "last"])
async def test_a_bomb_of_two_codings_is_bounded_at_either(step: str) -> None:
    """Two hundred megabytes of padding, which gzip skips, between the codings; or of content behind both."""
    limit = 6 << 20
    zeros = zlib.compressobj(wbits=31)
    bomb = b"".join([*(zeros.compress(bytes(1 << 20)) for _ in range(200)), zeros.flush()])
    if step == "first":
        whole = gzip.compress(gzip.compress(b"{}") + bytes(200 << 20), 1)
    else:
        whole = gzip.compress(bomb)
        assert len(bomb) < limit
    started = time.process_time()
    with pytest.raises(BodyTooLarge, match=f"larger than {limit} bytes"):
        await read(b"gzip, gzip", [whole], limit)
    assert time.process_time() - started < 1


async def test_a_stream_has_one_coding() -> None:
    with pytest.raises(UnsupportedEncoding, match="compressed once by gzip"):
        inflated(scope_of((b"content-encoding", b"gzip, zstd")), Client([b""]).receive)


@pytest.mark.parametrize("empty", [gzip.compress(b"", mtime=0), zstd.compress(b""), b"\x50\x2a\x4d\x18\0\0\0\0"])
async def test_members_that_hold_nothing_are_bounded(empty: bytes) -> None:
    coding = b"gzip" if empty.startswith(b"\x1f") else b"zstd"
    assert await read(coding, [empty * 500]) == b""
    with pytest.raises(BrokenEncoding, match="too many members"):
        await read(coding, [empty * 5000])


async def test_as_many_members_as_lines_are_no_trouble() -> None:
    line = b'{"inputs": "%s"}\n' % (b"a good film " * 25)
    assert await read(b"gzip", [gzip.compress(line) * 3000]) == line * 3000


async def test_a_window_that_takes_hundreds_of_megabytes_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(BODY) + compressor.flush()
    with pytest.raises(BrokenEncoding):
        await read(b"zstd", [data])


@pytest.mark.parametrize(
    "header", [b"br", b"compress", b"gzip, br", b"zstd,deflate,gzip,gzip", b"aws-chunked", b"gzip;q=1"]
)
async def test_other_codings_are_refused_with_those_that_there_are(header: bytes) -> None:
    with pytest.raises(UnsupportedEncoding, match="gzip, deflate or zstd") as refused:
        await read(header, [b"{}"])
    assert refused.value.headers == {"accept-encoding": "gzip, deflate, zstd"}


async def test_a_body_without_a_coding_is_read_as_it_is() -> None:
    async def receive() -> Any:
        raise AssertionError

    for headers in ([], [(b"content-encoding", b"identity")], [(b"content-encoding", b"")]):
        assert codings_of(headers) == []
        assert inflated({"headers": headers}, receive) is receive


async def test_what_follows_the_body_is_passed_on() -> None:
    client = Client([gzip.compress(b"one"), b""])
    receive = inflated(scope_of((b"content-encoding", b"gzip")), client.receive)
    assert [(await receive())["type"] for _ in range(4)] == ["http.request"] * 2 + ["http.disconnect"] * 2
    receive = inflated(scope_of((b"content-encoding", b"gzip")), Client([b"wrong", b"more"]).receive)
    with pytest.raises(BrokenEncoding):
        await receive()
    assert (await receive())["body"] == b"more"  # as it comes: nothing of it is inflated any more


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"gzip", b"deflate", b"zstd"]), st.binary(max_size=300), st.lists(st.integers(1, 50)))
def test_any_bytes_are_inflated_or_refused(coding: bytes, noise: bytes, cuts: list[int]) -> None:
    """Noise behind, before and inside something right, however it is cut."""
    right = COMPRESSED[coding.decode()][1](BODY[:200])
    for data in (noise, right + noise, noise + right, right[:30] + noise + right[30:]):
        inflater, rest = Inflater(coding), data
        with suppress(BrokenEncoding):
            for cut in cuts:
                assert all(len(piece) <= PIECE_BYTES for piece in inflater.feed(rest[:cut]))
                rest = rest[cut:]
            list(inflater.feed(rest, last=True))
