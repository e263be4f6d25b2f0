"""Bodies within their limit: parts joined, compressed, after a byte order mark; some against a real server process."""

import gzip
import http.client
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.core.errors import BodyTooLarge, ClientGone, UnsupportedEncoding
from app.http.body import read_body
from app.http.content_coding import zstd
from tests.app.http.conftest import HEADERS, MAX_BODY_BYTES

MARK = "\ufeff".encode()

TEXT = b'{"inputs":"a good film"}'
TENSOR = b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a good film"]}]}'
ROUTES = {
    ("POST", "/predict"): (TEXT, 200),
    ("POST", "/predict/stream"): (TEXT + b"\n\n" + TEXT + b"\n", 200),
    ("POST", "/"): (TEXT, 200),
    ("POST", "/invocations"): (TEXT, 200),
    ("POST", "/classify"): (b'{"input":"a good film"}', 200),
    ("POST", "/v1/classify"): (b'{"input":"a good film"}', 200),
    ("POST", "/embed"): (TEXT, 200),
    ("POST", "/v1/embeddings"): (b'{"input":"a good film"}', 200),
    ("POST", "/v2/models/tiny/infer"): (TENSOR, 200),
    ("POST", "/explain"): (b'{"inputs":"a good film","label":"none"}', 422),
    ("PUT", "/admin/models/tiny"): (b'{"path":"nowhere"}', 403),
    ("PUT", "/admin/models/tiny/candidate"): (b'{"path":"nowhere","share":0}', 403),
}
CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress}


CHUNKS = [b"abc", b"", b"de"]


def scope_of(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"headers": list(headers)}


class Client:
    """Sends chunks, then leaves."""

    def __init__(self, chunks: list[bytes], *, complete: bool = True) -> None:
        last = len(chunks) - 1 if complete else len(chunks)
        self.unread = [{"type": "http.request", "body": c, "more_body": i < last} for i, c in enumerate(chunks)]

    async def receive(self) -> dict[str, Any]:
        return self.unread.pop(0) if self.unread else {"type": "http.disconnect"}


@pytest.mark.anyio
async def test_chunks_are_joined_up_to_the_limit() -> None:
    assert await read_body(scope_of(), Client(CHUNKS).receive, 5) == b"abcde"
    assert await read_body(scope_of((b"content-length", b"0" * 5000 + b"5")), Client(CHUNKS).receive, 5) == b"abcde"
    assert await read_body(scope_of((b"content-encoding", b"identity")), Client([b"one"]).receive, 5) == b"one"


@pytest.mark.anyio
async def test_body_over_the_limit_is_refused_before_the_rest_is_read() -> None:
    client = Client([b"abc", b"def", b"ghi"])
    with pytest.raises(BodyTooLarge, match="larger than 5 bytes"):
        await read_body(scope_of(), client.receive, 5)
    assert len(client.unread) == 1


@pytest.mark.parametrize(
    ("header", "error"),
    [((b"content-length", b"6"), BodyTooLarge), ((b"content-encoding", b"br"), UnsupportedEncoding)],
)
@pytest.mark.anyio
async def test_headers_suffice_to_refuse_a_body(header: tuple[bytes, bytes], error: type[Exception]) -> None:
    client = Client([b"abc"])
    with pytest.raises(error):
        await read_body(scope_of(header), client.receive, 5)
    assert client.unread


@pytest.mark.anyio
async def test_client_that_leaves_before_the_end_gets_no_answer() -> None:
    with pytest.raises(ClientGone):
        await read_body(scope_of(), Client([b"abc"], complete=False).receive, 5)


def asked(url: str, route: tuple[str, str], body: bytes, coding: str = "", *, chunked: bool = False) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    headers = {**HEADERS, **({"Content-Encoding": coding} if coding else {})}
    pieces = [body[start : start + 11] for start in range(0, len(body), 11)]
    connection.request(*route, body=iter(pieces) if chunked else body, headers=headers, encode_chunked=chunked)
    answer = connection.getresponse()
    entries = [json.loads(line) for line in answer.read().splitlines()]
    for entry in entries:
        if isinstance(entry, dict):
            entry.pop("id", None), entry.pop("created", None)  # drawn for each answer
    connection.close()
    return answer.status, entries


@pytest.mark.parametrize("coding", CODINGS)
def test_every_route_takes_compressed_bodies(address: str, coding: str) -> None:
    for route, (body, status) in ROUTES.items():
        expected = asked(address, route, body)
        assert expected[0] == status
        compressed = CODINGS[coding](body)
        assert asked(address, route, compressed, coding) == expected, route
        assert asked(address, route, CODINGS[coding](MARK + body), coding, chunked=True) == expected, route


@pytest.mark.parametrize("codings", ["gzip, deflate", "zstd, gzip, gzip"])
def test_every_route_but_the_stream_takes_bodies_compressed_twice(address: str, codings: str) -> None:
    for route, (body, _) in ROUTES.items():
        compressed = body
        for coding in codings.split(", "):
            compressed = CODINGS[coding](compressed)
        if route[1] == "/predict/stream":
            status, (problem,) = asked(address, route, compressed, codings)
            assert (status, problem["error_type"]) == (415, "unsupported_encoding")
            assert "compressed once" in problem["detail"]
        else:
            assert asked(address, route, compressed, codings) == asked(address, route, body), route


@pytest.mark.parametrize("coding", CODINGS)
def test_every_route_refuses_what_is_not_compressed_so(address: str, coding: str) -> None:
    for route, (body, _) in ROUTES.items():
        whole = CODINGS[coding](body)
        for wrong in (body, whole[:-3]):
            status, (*_, entry) = asked(address, route, wrong, coding)
            if route[1] == "/predict/stream":
                assert (status, entry["error"]["type"]) == (200, "broken_encoding")
            else:
                assert status == 400, route
                assert "ompressed" in json.dumps(entry)


def test_every_route_names_the_codings_that_there_are(address: str) -> None:
    with httpx2.Client(base_url=address, headers=HEADERS) as client:
        for (method, path), (body, _) in ROUTES.items():
            for coding in ("br", "gzip, br"):
                answer = client.request(method, path, content=body, headers={"Content-Encoding": coding})
                assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_refused_and_holds_up_nobody(address: str, coding: str) -> None:
    """A body of a gigabyte, of which two megabytes are inflated."""
    bomb = CODINGS[coding](bytes(1 << 30) if coding == "zstd" else bytes(1 << 27))
    started = time.monotonic()
    for route in ROUTES:
        if route[1] != "/predict/stream":
            assert asked(address, route, bomb, coding)[0] == 413
    status, entries = asked(address, ("POST", "/predict/stream"), bomb, coding)
    assert status == 200
    assert [entry["error"]["type"] for entry in entries] == ["body_too_large"]
    assert time.monotonic() - started < 20


def test_a_long_compressed_stream_is_answered_line_by_line(address: str) -> None:
    """Far more than one body may hold; some lines are wrong."""
    lines = b"".join(b'{"inputs":"film %d"}\n' % n if n % 1000 else b"{}\n" for n in range(5000)) * 20
    assert len(lines) > MAX_BODY_BYTES
    headers = {**HEADERS, "Content-Encoding": "zstd"}
    body = zstd.compress(lines)
    with httpx2.stream("POST", f"{address}/predict/stream", content=body, headers=headers, timeout=120) as answer:
        entries = [json.loads(line) for line in answer.iter_lines()]
    assert [entry["line"] for entry in entries] == list(range(1, 100_001))
    assert sum("error" in entry for entry in entries) == 100


def test_lines_before_the_break_are_answered(address: str) -> None:
    lines = b"".join(b'{"inputs":"film %d"}\n' % n for n in range(20_000))
    whole = gzip.compress(lines)
    status, entries = asked(address, ("POST", "/predict/stream"), whole[: len(whole) // 2], "gzip")
    assert status == 200
    assert [entry["line"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry["line"] for entry in entries if "error" in entry] == [len(entries)]
    assert 5_000 < len(entries) < 15_000
    assert entries[-1]["error"] == {"type": "broken_encoding", "detail": "The compressed body ends too early."}


def test_a_byte_order_mark_changes_nothing(address: str) -> None:
    for route, (body, _) in ROUTES.items():
        expected = asked(address, route, body)
        for marks in (1, 2):
            assert asked(address, route, MARK * marks + body) == expected, route


def test_marks_of_files_that_were_joined_are_skipped_too(address: str) -> None:
    stream = ("POST", "/predict/stream")
    plain = asked(address, stream, TEXT + b"\r\n\r\n" + TEXT)
    assert asked(address, stream, MARK + TEXT + b"\r\n" + MARK + b"\r\n" + MARK + TEXT) == plain
    assert [entry["line"] for entry in plain[1]] == [1, 3]
    assert asked(address, stream, MARK) == (200, [])


def test_a_mark_alone_is_an_empty_body_and_other_encodings_are_named(address: str) -> None:
    predict = ("POST", "/predict")
    assert asked(address, predict, MARK)[1][0]["detail"].startswith("The body is empty. Send, for example: curl ")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        status, (problem,) = asked(address, predict, TEXT.decode().encode(encoding))
        assert (status, problem["detail"]) == (400, "The body is not UTF-8 but UTF-16 or UTF-32; send UTF-8.")
