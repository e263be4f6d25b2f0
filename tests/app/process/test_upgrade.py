"""Clients that offer another protocol (HTTP/2, WebSocket) get the answer that they would get without the offer."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httptools
import pytest

from app.process.upgrade import head_without_offer
from tests.app.process.test_connections import answer_of, connect, rest
from tests.app.process.test_server import process, wait_ready

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
OFFERS = {
    "h2c": H2C,
    "websocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "tls": b"connection: keep-alive, Upgrade\r\nupgrade: TLS/1.3\r\n",
    "unknown": b"Connection: foo\r\nConnection: UPGRADE\r\nUpgrade: foo/7, bar\r\n",
    "twice": H2C + b"Upgrade: websocket\r\n",
}
TEXT = b'{"inputs":"a good film"}'
TENSOR = b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a good film"]}]}'
BODIES = {
    "/predict": TEXT,
    "/predict/stream": TEXT + b"\n" + TEXT,
    "/": TEXT,
    "/invocations": TEXT,
    "/classify": b'{"input":"a good film"}',
    "/v1/classify": b'{"input":"a good film"}',
    "/embed": TEXT,
    "/v1/embeddings": b'{"input":"a good film"}',
    "/v2/models/tiny/infer": TENSOR,
    "/explain": b'{"inputs":"a good film","label":"no such"}',
}


@pytest.fixture(scope="module")
def address(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("upgrade") / "log"
    with process(log, "--model", f"tiny={tiny_checkpoint}", "--dtype", "float32") as (_, url):
        wait_ready(url)
        yield url


def plain(path: str, body: bytes, headers: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n" % (path.encode(), headers, len(body)) + body


def chunked(path: str, body: bytes, headers: bytes = b"") -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: a\r\n%sTransfer-Encoding: chunked\r\n\r\n" % (path.encode(), headers)
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:])) + b"0\r\n\r\n"


def asked(url: str, *pieces: bytes) -> tuple[bytes, Any]:
    """Status and body of the answer to a request that closes its connection."""
    with connect(url) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = rest(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head:
        body = b"".join(body.split(b"\r\n")[1::2])
    entries = [json.loads(line) for line in body.splitlines()]
    for entry in entries:
        if isinstance(entry, dict):
            entry.pop("id", None), entry.pop("created", None)  # of vLLM's form, drawn for each answer
    return head.split(b" ")[1], entries


LAST = b"Connection: close\r\n"


@pytest.mark.parametrize("write", [plain, chunked])
@pytest.mark.parametrize("offer", OFFERS)
def test_every_route_answers_as_if_nothing_were_offered(
    address: str, offer: str, write: Callable[[str, bytes, bytes], bytes]
) -> None:
    for path, body in BODIES.items():
        expected = asked(address, write(path, body, LAST))
        request = write(path, body, OFFERS[offer] + LAST)
        assert expected[0] == (b"422" if path == "/explain" else b"200")
        assert asked(address, request) == expected
        assert asked(address, request[:70], request[70:-30], request[-30:]) == expected


@pytest.mark.parametrize("offer", OFFERS)
def test_requests_without_a_body_and_wrong_ones_are_answered_too(address: str, offer: str) -> None:
    for line in (b"GET /models", b"GET /nothing", b"DELETE /predict", b"POST /predict"):
        head = line + b" HTTP/1.1\r\nHost: a\r\n" + LAST
        assert asked(address, head + OFFERS[offer] + b"\r\n") == asked(address, head + b"\r\n")


def test_the_connection_goes_on_after_an_offer(address: str) -> None:
    """Five requests in one piece, then one more; the second and the fourth offer nothing."""
    requests = [plain("/predict", TEXT, b"" if index % 2 else H2C) for index in range(5)]
    with connect(address) as connection:
        connection.sendall(b"".join(requests))
        connection.sendall(plain("/predict", TEXT, OFFERS["tls"] + LAST))
        answer = rest(connection)
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 ") == 6
    assert answer.count(b'"tokens":') == 6


def test_thousands_of_offers_in_one_piece_are_no_burden(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n" * 2000)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert rest(connection).count(b"HTTP/1.1 200 ") == 2001


def test_a_tunnel_and_bare_http2_are_refused_with_a_reason(address: str) -> None:
    for target in (b"example.org:443", b"/predict"):
        with connect(address) as connection:
            connection.sendall(b"CONNECT %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
            assert answer_of(connection).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 405 "))
    with connect(address) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"speaks HTTP/1.1" in answer_of(connection)


def test_an_offer_between_wrong_bytes_is_refused(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(plain("/predict", TEXT, H2C) + b"\0\0\0")
        answer = rest(connection)
    assert answer.count(b"HTTP/1.1 400 ") == 1


def test_only_the_offer_is_left_out() -> None:
    parser = httptools.HttpRequestParser(object())
    parser.feed_data(b"PUT /a?b HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Keep-Alive, HTTP2-Settings , Upgrade\r\n")
    headers = [(b"x", b""), (b"upgrade", b"h2c"), (b"connection", b"Keep-Alive, HTTP2-Settings , Upgrade")]
    assert head_without_offer(parser, b"/a?b", [*headers, (b"http2-settings", b"AA"), (b"y", b"1")]) == (
        b"PUT /a?b HTTP/1.1\r\nx: \r\nconnection: Keep-Alive\r\ny: 1\r\n\r\n"
    )


@pytest.mark.parametrize("more", [(), ("-H", "Transfer-Encoding: chunked")], ids=["plain", "chunked"])
def test_curl_that_offers_http2(address: str, more: tuple[str, ...]) -> None:
    """Stock curl; a body over a megabyte makes it wait for `100 Continue`."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    body = json.dumps({"inputs": ["a good film " * 1000] * 100})
    call = ["curl", "-s", "--http2", "-w", " %{http_code} %{http_version}", *more, "-d", "@-", f"{address}/predict"]
    for sent, num_texts in ((body, 100), (TEXT.decode(), 1)):
        done = subprocess.run(call, input=sent, capture_output=True, text=True, timeout=60, check=True)
        answer, status, version = done.stdout.rsplit(" ", 2)
        assert (status, version, len(json.loads(answer)["predictions"])) == ("200", "1.1", num_texts)


JAVA = """
import java.net.URI;
import java.net.http.*;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .POST(HttpRequest.BodyPublishers.ofString(arguments[1])).build();
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 0; i < 3; i++) {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body().strip());
        }
    }
}
"""


def test_java_whose_client_offers_http2_on_its_own(address: str, tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("no Java here")
    source = tmp_path / "Ask.java"
    source.write_text(JAVA)
    for path in ("/predict", "/predict/stream"):
        call = ["java", str(source), address + path, TEXT.decode()]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
        if "compiler" in done.stderr:
            pytest.skip("this Java runs no sources")
        assert done.returncode == 0, done.stderr
        answers = done.stdout.splitlines()
        assert len(answers) == 3
        assert all(answer.startswith("200 HTTP_1_1 ") and '"tokens":' in answer for answer in answers)
