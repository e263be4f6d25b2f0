"""Answers as they go over the connection, of applications that do right and of those that do not."""

import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.errors import ClientGone
from app.process.connections import Connections
from app.process.protocol import HttpProtocol
from tests.app.process.test_connection import Transport, opened, state

__all__ = ["state"]

pytestmark = pytest.mark.anyio

GET, HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
LENGTH = (b"Content-Length", b"2")


class Writes(Transport):
    """Remembers each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.reading = [True]

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading.append(False)

    def resume_reading(self) -> None:
        self.reading.append(True)


def answering(*messages: Any, status: int = 200) -> ASGIApp:
    """An application that sends headers, and then parts of a body, each with whether there is more."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": messages[0]})
        for body, more in messages[1:]:
            await send({"type": "http.response.body", "body": body, "more_body": more})

    return app


async def ended(state: Connections) -> None:
    """Waits until every application has returned."""
    await asyncio.gather(*state.tasks)


async def asked(state: Connections, app: ASGIApp, *requests: bytes) -> Writes:
    """The transport once the application has answered."""
    transport = Writes()
    connection: HttpProtocol = opened(state, transport, app)
    for request in requests:
        connection.data_received(request)
    await ended(state)
    return transport


async def test_an_answer_with_a_length_is_one_write(state: Connections) -> None:
    state.default_headers = [(b"date", b"now")]
    transport = await asked(state, answering([LENGTH, (b"a", b"b")], (b"hi", False)), GET)
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\na: b\r\n\r\nhi"]
    assert not transport.closed


async def test_a_stream_begins_before_its_first_part(state: Connections) -> None:
    transport = await asked(state, answering([], (b"", True), (b"ab", True), (b"", False)), GET)
    head, *parts = transport.writes
    assert head == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert b"".join(parts) == b"2\r\nab\r\n0\r\n\r\n"


async def test_a_stream_to_a_client_of_http_1_0_ends_with_the_connection(state: Connections) -> None:
    app = answering([], (b"", True), (b"ab", True), (b"cd", False))
    transport = await asked(state, app, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert b"".join(transport.writes) == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcd"
    assert transport.closed


@pytest.mark.parametrize(("version", "asked_for"), [(b"1.1", True), (b"1.0", False)])
async def test_only_a_client_of_http_1_1_is_asked_for_its_body(
    state: Connections, version: bytes, asked_for: bool
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await answering([LENGTH], (b"hi", False))({}, receive, send)

    head = b"POST / HTTP/%s\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n" % version
    transport = await asked(state, app, head, b"ab")
    written = b"".join(transport.writes)
    assert written.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 " if asked_for else b"HTTP/1.1 200 ")


@pytest.mark.parametrize("target", [b"http://a?b=c", b"http://a/?b=c"])
async def test_a_whole_address_without_a_path_is_the_root(state: Connections, target: bytes) -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await answering([LENGTH], (b"hi", False))(scope, receive, send)

    await asked(state, app, b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert [(scope["path"], scope["raw_path"]) for scope in scopes] == [("/", b"/")]
    assert scopes[0]["query_string"] == target.partition(b"?")[2]


async def test_an_answer_to_head_has_no_body(state: Connections) -> None:
    transport = await asked(state, answering([LENGTH], (b"hi", False)), HEAD)
    assert b"".join(transport.writes) == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    transport = await asked(state, answering([], (b"hi", False)), HEAD)
    assert b"".join(transport.writes) == b"HTTP/1.1 200 OK\r\n\r\n"


async def test_a_status_without_a_body_is_not_chunked(state: Connections) -> None:
    transport = await asked(state, answering([], (b"", False), status=204), GET)
    assert b"".join(transport.writes) == b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("close", [(b"connection", b"Close"), (b"connection", b"a, close")])
async def test_an_application_may_close_the_connection(state: Connections, close: tuple[bytes, bytes]) -> None:
    transport = await asked(state, answering([LENGTH, close], (b"hi", False)), GET)
    assert b"".join(transport.writes).count(b"connection: ") == 1
    assert transport.closed


async def test_a_client_that_closes_is_told_so(state: Connections) -> None:
    transport = await asked(
        state, answering([LENGTH], (b"hi", False)), GET.replace(b"a\r\n", b"a\r\nConnection: close\r\n")
    )
    assert b"\r\nconnection: close\r\n" in b"".join(transport.writes)
    assert transport.closed


@pytest.mark.parametrize(
    "messages",
    [
        ([(b"a", b"b\r\nc: d")],),
        ([(b"a", b"b\nc")],),
        ([(b"a b", b"c")],),
        ([(b"a", b"\0")],),
        ([LENGTH], (b"long", False)),
        ([LENGTH], (b"", False)),
        ([],),
        ([LENGTH],),
        ([LENGTH], (b"hi", False), (b"", False)),
    ],
    ids=["header in a header", "line break", "name", "control", "too long", "too short", "no end", "no body", "again"],
)
async def test_a_wrong_answer_is_cut(state: Connections, messages: tuple[Any, ...]) -> None:
    transport = await asked(state, answering(*messages), GET)
    assert transport.closed
    assert b"c: d" not in b"".join(transport.writes)


async def test_an_application_that_fails_before_it_answers_is_500(state: Connections) -> None:
    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("about a client's text")

    transport = await asked(state, fails, GET)
    (answer,) = transport.writes
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"client's" not in answer
    assert transport.closed


async def test_a_stream_that_is_cut_when_the_server_leaves_is_no_fault(
    state: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    transport = Writes()
    connection: HttpProtocol = opened(state, transport, stream)
    connection.data_received(GET)
    await asyncio.sleep(0)
    (task,) = state.tasks
    task.cancel()  # as uvicorn does
    await asyncio.wait([task])
    assert transport.closed
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "a request was cut, since the server leaves")
    ]


async def test_a_stream_learns_from_what_it_sends_that_its_client_has_left(state: Connections) -> None:
    part = {"type": "http.response.body", "body": b"ab", "more_body": True}
    told: list[str] = []

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send(part)
                await asyncio.sleep(0)
        except ClientGone as error:
            told.append(str(error))
        await send({"type": "http.response.body"})

    connection = opened(state, Writes(), stream)
    connection.data_received(GET)
    await asyncio.sleep(0)
    connection.connection_lost(None)
    await asyncio.wait_for(ended(state), 1)
    assert told == [ClientGone.default]


async def test_nothing_is_read_ahead_of_an_application_that_is_slow(state: Connections) -> None:
    bodies: list[bytes] = []
    go = asyncio.Event()

    async def reads(_scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        while (message := await receive())["type"] == "http.request":
            bodies.append(message["body"])
            if not message["more_body"]:
                await answering([LENGTH], (b"hi", False))({}, receive, send)

    transport = Writes()
    connection = opened(state, transport, reads)
    connection.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"a" * 70_000)
    assert transport.reading == [True, False]
    go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert transport.reading == [True, False, True]
    connection.data_received(b"a" * 30_000)
    await ended(state)
    assert b"".join(bodies) == b"a" * 100_000
    assert transport.writes[-1].endswith(b"\r\n\r\nhi")


async def test_trailers_are_no_headers(state: Connections) -> None:
    scopes = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"ab"
        scopes.append(scope)
        await answering([LENGTH], (b"hi", False))(scope, receive, send)

    request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"
    trailer = b"X-Forwarded-For: 203.0.113.7\r\n\r\n"
    await asked(state, app, request + trailer + request, trailer)
    assert [scope["headers"] for scope in scopes] == 2 * [[(b"host", b"a"), (b"transfer-encoding", b"chunked")]]


async def test_a_pipeline_is_answered_in_order_and_ends_with_its_client(state: Connections) -> None:
    seen: list[str] = []
    left: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        await receive()
        if scope["path"] == "/slow":
            left.append((await receive())["type"])
        else:
            await answering([LENGTH], (b"hi", False))(scope, receive, send)

    transport = Writes()
    connection = opened(state, transport, app)
    connection.data_received(GET.replace(b"/ ", b"/a%20b?c=%20 ") + GET.replace(b"/ ", b"/slow ") + GET)
    for _ in range(10):
        await asyncio.sleep(0)
    assert seen == ["/a b", "/slow"]
    connection.connection_lost(None)
    await ended(state)
    assert (left, len(transport.writes), state.connections) == (["http.disconnect"], 1, set())


@pytest.mark.parametrize("fails", [False, True])
async def test_a_place_comes_back_however_a_request_ends(state: Connections, fails: bool) -> None:
    under_way: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        under_way.append(state.requests.under_way)
        if fails:
            raise ValueError
        await answering([LENGTH], (b"hi", False))(scope, receive, send)

    post = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    for path in (b"/predict", b"/other"):
        await asked(state, app, post % path)
    assert (under_way, state.requests.under_way) == ([1, 0], 0)
