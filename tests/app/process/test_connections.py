"""Clients that are slow, silent, many, half gone or not HTTP at all, against a real server process."""

import json
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from app.config.settings import SettingsError
from app.http.request_log import MAX_HEADERS
from app.process.connection import MAX_HEAD_BYTES
from app.process.listening import raise_descriptor_limit
from tests.app.process.test_server import ROOT, process, wait_ready

BODY = b'{"inputs":"a good film"}'
HEAD = b"POST /predict HTTP/1.1\r\nHost: sluice\r\nContent-Length: %d\r\n"
REQUEST = HEAD % len(BODY) + b"\r\n" + BODY

IMPATIENT = ("--headers-timeout-s", "1", "--transfer-timeout-s", "1", "--keep-alive-s", "2")


@pytest.fixture(scope="module")
def address(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of an impatient server."""
    log = tmp_path_factory.mktemp("impatient") / "log"
    limits = ("--max-body-bytes", "4000000")
    with process(log, "--model", f"tiny={tiny_checkpoint}", *IMPATIENT, *limits) as (_, url):
        wait_ready(url)
        yield url


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def rest(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        found += b"RESET"
    return found


def answer_of(connection: socket.socket) -> bytes:
    """One whole answer that has a length."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += (piece := connection.recv(65536))
        assert piece, found
    head, _, body = found.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    while len(body) < int(length[1]):
        body += (piece := connection.recv(65536))
        assert piece, found
    return head + b"\r\n\r\n" + body


def metric(url: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", httpx2.get(f"{url}/metrics", timeout=30).text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def cut(url: str, cause: str) -> float:
    return metric(url, f'sluice_connections_cut_total{{cause="{cause}"}}')


def all_gone(url: str) -> None:
    """Nothing is left of any client: no connection but the one that asks, nothing under way."""
    deadline = time.monotonic() + 10
    while metric(url, "sluice_connections") > 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert metric(url, 'sluice_queue_texts{model="tiny"}') == 0


def test_a_byte_every_now_and_then_is_cut(address: str) -> None:
    """Silent, in its headers, in its body, between two requests: all at once, since each takes its time."""
    before = {cause: cut(address, cause) for cause in ("silent", "headers", "body")}
    begun = {
        "silent": b"",
        "headers": b"POST /predict HTTP/1.1\r\nHost: ",
        "body": HEAD % 500 + b"\r\n",
        # Not the beginning of a request, though uvicorn's own timer takes it for one.
        "idle": REQUEST + b"\r\n",
    }
    answers, seconds = dict.fromkeys(begun, b""), dict[str, float]()
    with ExitStack() as stack:
        clients = {name: stack.enter_context(connect(address)) for name in begun}
        for name, client in clients.items():
            client.sendall(begun[name])
            client.settimeout(0.02)
        started = time.monotonic()
        while len(seconds) < len(clients):
            for name in clients.keys() - seconds.keys():
                if _trickle(clients[name], answers, name, b"x" if name in ("headers", "body") else b""):
                    seconds[name] = time.monotonic() - started
            # None of them costs a permit.
            assert metric(address, 'sluice_queue_texts{model="tiny"}') == 0
            assert time.monotonic() - started < 20
            time.sleep(0.1)
    assert 0.9 < min(seconds.values()) <= max(seconds.values()) < 10
    assert {cause: cut(address, cause) - number for cause, number in before.items()} == dict.fromkeys(before, 1)
    assert answers["silent"] == b""
    assert answers["idle"].count(b"HTTP/1.1 ") == answers["idle"].count(b"HTTP/1.1 200 ") == 1
    for name in ("headers", "body"):
        head, _, body = answers[name].partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in head
        assert json.loads(body)["error_type"] == "request_too_slow"
    assert metric(address, 'sluice_http_requests_total{method="POST",route="/predict",status="408"}') == 1
    all_gone(address)


def _trickle(client: socket.socket, answers: dict[str, bytes], name: str, byte: bytes) -> bool:
    """Sends a byte and takes what has come; whether the server has closed."""
    try:
        client.send(byte)
        piece = client.recv(4096)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    answers[name] += piece
    return not piece


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n" + BODY, b"\r\n\r\n" + BODY[:9]], ids=["headers", "whole", "body"])
def test_a_half_closed_connection_leaves_nothing_behind(address: str, end: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            half = stack.enter_context(connect(address))
            half.sendall((HEAD % len(BODY)).removesuffix(b"\r\n") + end)
            half.shutdown(socket.SHUT_WR)
            # All of an answer or nothing of it, and the end at once.
            started = time.monotonic()
            answer = rest(half)
            assert time.monotonic() - started < 2
            assert answer == b"" or (answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"}"))
    all_gone(address)


def test_a_client_that_does_not_take_its_answer_is_cut(address: str) -> None:
    """The page's script is a megabyte; 64 of them fit into no buffer."""
    before = cut(address, "answer")
    with connect(address) as deaf:
        deaf.sendall(b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: sluice\r\n\r\n" * 64)
        deadline = time.monotonic() + 10
        while cut(address, "answer") == before:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    all_gone(address)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"A: b\r\n" * (MAX_HEADERS + 5), 431),
        (b"A: " + b"b" * (MAX_HEAD_BYTES * 5), 431),
        (b"A: b\r\n" * 60, 200),
        (b"A: " + b"b" * 30_000 + b"\r\n", 200),
    ],
    ids=["many", "endless", "some", "long"],
)
def test_headers_are_bounded(address: str, headers: bytes, status: int) -> None:
    with connect(address) as connection:
        connection.sendall((HEAD % len(BODY)) + headers)
        if status == 200 or headers.endswith(b"\n"):
            connection.sendall(b"\r\n" + BODY)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert status == 200 or b"headers_too_large" in answer


CHUNKED = b"POST /predict HTTP/1.1\r\nHost: sluice\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_bodies_are_bounded_however_they_lie(address: str) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for sent, status in (
        (HEAD % 4_000_001 + b"\r\n", 413),
        (CHUNKED + chunk * 62, 413),
        (CHUNKED + chunk * 60 + b"0\r\n\r\n", 400),  # not JSON, but it was read
        (HEAD % 3_900_000 + b"\r\n" + b"x" * 3_900_000, 400),
        (HEAD % 3 + b"\r\n" + BODY, 400),  # the body ends early, and the rest is not HTTP
        (HEAD % 5 + b"Content-Length: 6\r\n\r\n" + BODY, 400),
        (HEAD % 5 + b"Transfer-Encoding: chunked\r\n\r\n" + BODY, 400),
        (HEAD.replace(b"%d", b"-1") + b"\r\n", 400),
        (CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
    ):
        with connect(address) as connection:
            connection.sendall(sent)
            answer = answer_of(connection)
        assert answer.startswith(b"HTTP/1.1 %d " % status), sent[:80]
        assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("sent", "method", "route"),
    [
        (CHUNKED + b"zz\r\n", "POST", "/predict"),
        (HEAD % 5 + b"Content-Length: 6\r\n\r\n" + BODY, "POST", "unmatched"),
        (b"GARBAGE\r\n\r\n", "other", "unmatched"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "other", "unmatched"),  # TLS
    ],
)
def test_what_is_not_http_is_one_400_for_client_log_and_metrics(
    address: str, sent: bytes, method: str, route: str
) -> None:
    def counted(status: int) -> float:
        labels = f'method="{method}",route="{route}",status="{status}"'
        return metric(address, f"sluice_http_requests_total{{{labels}}}")

    before = counted(400), counted(499)
    with connect(address) as connection:
        connection.sendall(sent)
        head, _, body = rest(connection).removesuffix(b"RESET").partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert (head[:13], problem["status"], problem["error_type"]) == (b"HTTP/1.1 400 ", 400, "bad_request")
    all_gone(address)
    assert (counted(400) - before[0], counted(499) - before[1]) == (1, 0)


def test_an_address_with_letters_beyond_ascii_is_told_how_to_write_them(address: str) -> None:
    with connect(address) as connection:
        connection.sendall("POST /predict/stream?labels=好 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"percent-encoded, such as %E5%A5%BD." in answer


def test_what_is_not_http_is_refused_after_the_answer_before_it(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(REQUEST + b"GARBAGE\r\n\r\n")
        answers = rest(connection).removesuffix(b"RESET")
    assert [answers.count(b"HTTP/1.1 200 "), answers.count(b"HTTP/1.1 400 "), answers.count(b"HTTP/1.1 ")] == [1, 1, 2]
    assert answers.startswith(b"HTTP/1.1 200 ")


def test_endless_trailers_are_cut(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(CHUNKED + b"2\r\n{}\r\n0\r\n")
        assert _sent_until_cut(connection, b"A: " + b"b" * 4096 + b"\r\n") < 5_000_000


def test_what_was_refused_may_still_be_sent_within_bounds(address: str) -> None:
    """So that a client that writes all before it reads gets to see its answer."""
    with connect(address) as connection:
        connection.sendall(HEAD % 4_000_001 + b"\r\n" + b"x" * 3_000_000)
        assert answer_of(connection).startswith(b"HTTP/1.1 413 ")
        assert _sent_until_cut(connection, b"x" * 65536) < 20_000_000


@pytest.mark.parametrize(("num_bytes", "closes"), [(4_000_001, True), (3_000_000, False)])
def test_who_sends_too_much_is_told_that_the_connection_ends(address: str, num_bytes: int, closes: bool) -> None:
    """Else its next request is the one that fails."""
    coding = b"Content-Encoding: br\r\n\r\n"  # refused before the body is read
    with connect(address) as connection:
        connection.sendall(HEAD % num_bytes + coding)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 413 " if closes else b"HTTP/1.1 415 ")
    assert (b"\r\nconnection: close\r\n" in answer) is closes


def _sent_until_cut(connection: socket.socket, piece: bytes) -> int:
    """Bytes that went into the connection, or into the buffers of the kernel, before it was cut."""
    for count in range(1000):
        try:
            connection.sendall(piece)
        except ConnectionError:
            return count * len(piece)
    raise AssertionError("it is still open")


def test_ten_thousand_silent_connections_hold_up_nobody(tiny_checkpoint: Path, tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    num = 10_000 if hard == resource.RLIM_INFINITY else min(10_000, hard - 1000)
    raise_descriptor_limit(num)
    most = ("--max-connections", str(num + 20), "--headers-timeout-s", "60")
    with process(tmp_path / "log", "--model", f"tiny={tiny_checkpoint}", *most) as (_, url), ExitStack() as stack:
        wait_ready(url)
        fds = metric(url, "process_open_fds")
        for _ in range(num):
            stack.enter_context(connect(url))
        assert metric(url, "sluice_connections") > num
        with httpx2.Client(base_url=url) as client:
            seconds = []
            for _ in range(50):
                started = time.monotonic()
                assert client.post("/predict", json={"inputs": "a good film"}).status_code == 200
                seconds.append(time.monotonic() - started)
            assert sorted(seconds)[25] < 0.1
            more = [stack.enter_context(connect(url)) for _ in range(40)]
            refused = [connection for connection in more if _refused(connection)]
            assert len(refused) >= 20
            assert client.post("/predict", json={"inputs": "a good film"}).status_code == 200
        stack.close()
        all_gone(url)
        assert metric(url, "process_open_fds") <= fds + 5


def _refused(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        answer = connection.recv(65536)
    except TimeoutError:
        return False
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in answer
    return True


def test_more_connections_than_open_files_is_a_sentence() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("any number of files may be open here")
    with pytest.raises(SettingsError, match=rf"--max-connections .* is {hard}, .* may have {hard}: raise its limit"):
        raise_descriptor_limit(hard)
    command = [sys.executable, "-m", "app", "serve", "--port", "0", "--max-connections", str(hard)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
