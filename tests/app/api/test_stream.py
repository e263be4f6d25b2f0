import asyncio
import json
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp

import app.api.stream
from app.api.endpoint import submit
from app.api.ndjson import MAX_LINE_BYTES, answer_line
from app.api.stream import GROUP_LINES, GROUPS, Stream
from app.core.errors import ClientGone
from app.http.request_log import RequestLog
from model.config import PrecisionThreshold
from tests.app.conftest import POISON, FakeClassifier, app_of, serve, service_of, until

pytestmark = pytest.mark.anyio


def ndjson(*texts: Any) -> bytes:
    return b"".join(json.dumps({"inputs": text}).encode() + b"\n" for text in texts)


def entries(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


class Wire:
    """One raw ASGI stream: the test decides what arrives when and how fast answers are taken."""

    def __init__(self, application: ASGIApp, query: bytes = b"") -> None:
        self.arriving: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received = 0
        self.sent: list[dict[str, Any]] = []
        self.taking = asyncio.Event()
        self.taking.set()
        self.gone = False
        scope = {"type": "http", "method": "POST", "path": "/predict/stream", "raw_path": b"/predict/stream"}
        scope |= {"query_string": query, "root_path": "", "http_version": "1.1", "scheme": "http", "headers": []}
        self.task = asyncio.ensure_future(application(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        message = await self.arriving.get()
        self.received += 1
        return message

    async def _send(self, message: Any) -> None:
        await self.taking.wait()
        if self.gone and message.get("more_body", False):
            raise ClientGone  # as an exchange does
        self.sent.append(message)

    def put(self, body: bytes, *, more: bool = True) -> None:
        self.arriving.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        self.arriving.put_nowait({"type": "http.disconnect"})

    @property
    def entries(self) -> list[dict[str, Any]]:
        return entries(b"".join(message.get("body", b"") for message in self.sent))


@asynccontextmanager
async def wire(
    classifier: FakeClassifier, query: bytes = b"", patience: Mapping[str, float] | None = None, **settings: Any
) -> AsyncIterator[tuple[Wire, httpx2.AsyncClient]]:
    async with serve(classifier, **settings) as client:
        application: ASGIApp = app_of(client)
        if patience is not None:
            service = service_of(client)
            endpoint = Stream(service.registry, service.settings.requests, **patience)
            application = RequestLog(endpoint, metrics=service.metrics, registry=service.registry)
        stream = Wire(application, query)
        try:
            yield stream, client
        finally:
            classifier.gate.set()
            stream.leave()
            await asyncio.gather(stream.task, return_exceptions=True)


async def settled(value: Callable[[], int]) -> int:
    """The value once it has stopped changing."""
    while True:
        before = value()
        await asyncio.sleep(0.1)
        if value() == before:
            return before


async def test_a_line_in_an_entry_out_in_order(classifier: FakeClassifier) -> None:
    texts = [f"text {i % 150}" for i in range(300)]
    async with serve(classifier) as client:
        response = await client.post("/predict/stream", content=ndjson(*texts))
        single = (await client.post("/predict", json={"inputs": texts})).json()["predictions"]
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    assert entries(response.content) == [{"line": n, **entry} for n, entry in enumerate(single, 1)]


async def test_bad_lines_get_errors_and_the_rest_goes_on(classifier: FakeClassifier) -> None:
    lines = [
        b'{"inputs": "good"}',
        b"not json",
        b"",
        b'{"inputs": 3}\r',
        b'{"inputs": "' + b"x" * MAX_LINE_BYTES + b'"}',
        b'{"inputs": "' + POISON.encode() + b'"}',
        b'{"inputs": "' + b"x" * 101 + b'"}',
        b'{"inputs": "\\ud800"}',
        b'{"inputs": "a\xff"}',
        b'{"inputs": "a", "my private text": 1}',
        b'{"inputs": "last without an end"}',
    ]
    async with serve(classifier, max_chars=100) as client:
        response = await client.post("/predict/stream", content=b"\n".join(lines))
    answers = entries(response.content)
    assert [(entry["line"], entry.get("error", {}).get("type")) for entry in answers] == [
        (1, None),
        (2, "invalid_json"),
        (4, "invalid_request"),
        (5, "body_too_large"),
        (6, "compute_error"),
        (7, "text_too_long"),
        (8, None),
        (9, "invalid_json"),
        (10, "invalid_request"),
        (11, None),
    ]
    assert b"private" not in response.content


@pytest.mark.parametrize(("query", "line", "num"), [("", "", 2), ("?top_k=1", "", 1), ("?top_k=1", ',"top_k":2', 2)])
async def test_top_k_of_query_and_line(classifier: FakeClassifier, query: str, line: str, num: int) -> None:
    async with serve(classifier) as client:
        response = await client.post(f"/predict/stream{query}", content=f'{{"inputs":"a"{line}}}')
    assert [len(entry["scores"]) for entry in entries(response.content)] == [num]


THREE = ("negative", "positive", "neutral")


async def test_labels_of_query_and_line() -> None:
    lines = [
        {"inputs": "a"},
        {"inputs": "a", "labels": ["positive", "neutral"]},
        {"inputs": "a", "labels": ["positive", "my private text"]},
        {"inputs": "a", "labels": ["positive", "neutral", "negative"], "top_k": 2},
        {"inputs": "a", "labels": ["positive"]},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    async with serve(FakeClassifier(THREE)) as client:
        response = await client.post("/predict/stream?labels=negative&labels=positive", content=body)
        asked = [{"inputs": "a", "labels": ["negative", "positive"]}, lines[1], lines[3]]
        single = [(await client.post("/predict", json=line)).json()["predictions"][0] for line in asked]
    answers = entries(response.content)
    assert [answer.get("error", {}).get("type") for answer in answers] == [
        None,
        None,
        "invalid_request",
        None,
        "invalid_request",
    ]
    assert [answers[0], answers[1], answers[3]] == [
        {"line": line, **entry} for line, entry in zip((1, 2, 4), single, strict=True)
    ]
    assert b"private" not in response.content


async def test_precision_of_query_and_line(classifier: FakeClassifier) -> None:
    classifier.precision_thresholds = (PrecisionThreshold(precision=0.9, threshold=1.0, coverage=0),)
    body = b'{"inputs":"a"}\n{"inputs":"a","min_precision":0.95}\n{"inputs":"a","labels":["negative","positive"]}'
    async with serve(classifier) as client:
        response = await client.post("/predict/stream?min_precision=0.9", content=body)
        plain = await client.post("/predict/stream", content=b'{"inputs":"a"}\n{"inputs":"a","min_precision":9e-1}')
    first, second, third = entries(response.content)
    label, none = entries(plain.content)
    assert first == third | {"line": 1} == none | {"line": 1} == label | {"label": None}
    assert label["label"] is not None
    assert second["error"]["detail"].startswith("The model does not reach this `min_precision`: it may be at most 0.9;")


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?model=sentiment", {}, 200),
        ("?model=other", {}, 404),
        ("?model=sentiment&model=other", {}, 422),
        ("?top_k=1&top_k=2", {}, 422),
        ("?top_k=0", {}, 422),
        ("?top_k=", {}, 422),
        ("?top_k=1000000000", {}, 422),
        (f"?top_k={'0' * 5000}1", {}, 200),
        ("?labels=positive&labels=negative", {}, 200),
        ("?labels=", {}, 422),
        ("?min_precision=0.9", {}, 422),  # no thresholds
        ("?min_precision=", {}, 422),
        ("?min_precision=0", {}, 422),
        ("?min_precision=nan", {}, 422),
        ("?labels=positive", {}, 422),
        ("?labels=positive,negative", {}, 422),
        ("", {"Content-Encoding": "br"}, 415),
        ("", {"X-Request-Timeout-Ms": "0"}, 422),
    ],
)
async def test_what_is_wrong_from_the_start(
    classifier: FakeClassifier, query: str, headers: dict[str, str], status: int
) -> None:
    async with serve(classifier) as client:
        response = await client.post(f"/predict/stream{query}", content=ndjson("a"), headers=headers)
    assert response.status_code == status
    assert status == 200 or response.headers["content-type"] == "application/problem+json"


async def test_a_line_that_is_nested_too_deeply_leaves_the_others_their_answers(classifier: FakeClassifier) -> None:
    deep = b'{"x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}\n"
    async with serve(classifier) as client:
        response = await client.post("/predict/stream", content=ndjson("a") + deep + ndjson("a"))
    first, second, third = entries(response.content)
    assert second["error"]["detail"].startswith("Object contains unknown field `x`.")
    assert third == first | {"line": 3}


async def test_empty_stream(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await client.post("/predict/stream", content=b"\n\n")
    assert (response.status_code, response.content) == (200, b"")


async def test_each_line_is_answered_while_the_next_is_awaited(classifier: FakeClassifier) -> None:
    async with wire(classifier) as (stream, _):
        await until(lambda: len(stream.sent) == 1)  # the head, before anything was asked
        stream.put(b'{"inputs": "fi')
        stream.put(b'rst"}\n{"inputs"')
        await until(lambda: len(stream.entries) == 1)
        stream.put(b': "second"}', more=False)
        await until(lambda: len(stream.entries) == 2)
        await asyncio.wait_for(stream.task, 2)
    assert stream.sent[-1].get("more_body", False) is False


async def test_does_not_read_ahead_of_the_device(classifier: FakeClassifier) -> None:
    async with wire(classifier) as (stream, _):
        classifier.gate.clear()
        for i in range(50):
            stream.put(ndjson(*(f"{i} {j}" for j in range(GROUP_LINES))))
        assert await settled(lambda: stream.received) <= GROUPS + 2
        classifier.gate.set()
        await until(lambda: len(stream.entries) == 50 * GROUP_LINES)


async def test_does_not_read_ahead_of_a_client_that_takes_nothing(classifier: FakeClassifier) -> None:
    async with wire(classifier) as (stream, _):
        await until(lambda: len(stream.sent) == 1)
        stream.taking.clear()
        for i in range(50):
            stream.put(ndjson(*(f"{i} {j}" for j in range(GROUP_LINES))))
        assert await settled(lambda: stream.received) <= GROUPS + 3
        stream.taking.set()
        await until(lambda: len(stream.entries) == 50 * GROUP_LINES)


async def test_a_client_that_takes_nothing_for_long_is_cut(classifier: FakeClassifier) -> None:
    async with wire(classifier, patience={"stall_s": 0.05}) as (stream, _):
        await until(lambda: len(stream.sent) == 1)
        stream.taking.clear()
        stream.put(ndjson("a"))
        await asyncio.wait_for(stream.task, 2)
    assert len(stream.sent) == 1  # no end: the server cuts the connection


async def test_a_client_that_leaves_takes_its_work_along(classifier: FakeClassifier) -> None:
    async with wire(classifier) as (stream, client):
        classifier.gate.clear()
        for i in range(3):
            stream.put(ndjson(f"text {i}"))
        await until(classifier.entered.is_set)
        stream.leave()
        await asyncio.wait_for(stream.task, 2)
        classifier.gate.set()
        metrics = (await client.get("/metrics")).text
    assert 'sluice_texts_dropped_total{cause="disconnect",model="sentiment"} 3.0' in metrics
    assert 'sluice_queue_texts{model="sentiment"} 0.0' in metrics
    assert stream.entries == []


async def test_nothing_waits_for_room_once_its_client_has_left(classifier: FakeClassifier) -> None:
    async with wire(classifier, max_queue_texts=8, max_texts=4, max_batch_texts=4) as (stream, client):
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": ["a", "b", "c", "d"]}))
        await until(classifier.entered.is_set)
        stream.put(ndjson("e", "f"))
        await until(lambda: stream.received == 1)
        stream.gone = True  # what it has sent is read: that it has left stands behind it
        await asyncio.wait_for(stream.task, 2)
        classifier.gate.set()
        assert (await held).status_code == 200
        assert 'sluice_texts_total{model="sentiment"} 4.0' in (await client.get("/metrics")).text


async def test_empty_lines_leave_others_their_turn(classifier: FakeClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, turns_before = 0, list[int]()

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def counting(*arguments: Any) -> Any:
        turns_before.append(turns)
        return submit(*arguments)

    monkeypatch.setattr(app.api.stream, "submit", counting)
    async with wire(classifier) as (stream, _):
        await until(lambda: len(stream.sent) == 1)
        stream.put(b"\n" * 100 * GROUP_LINES + ndjson("a"), more=False)
        task = asyncio.create_task(other())
        await until(lambda: len(stream.entries) == 1)
        task.cancel()
    assert turns_before[0] >= 95
    assert stream.entries[0]["line"] == 100 * GROUP_LINES + 1


async def test_waits_for_room_and_leaves_room_to_others(classifier: FakeClassifier) -> None:
    async with wire(classifier, max_queue_texts=8, max_texts=4, max_batch_texts=4) as (stream, client):
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": ["a", "b", "c", "d"]}))
        await until(classifier.entered.is_set)
        stream.put(ndjson("e", "f"), more=False)
        await asyncio.sleep(0.1)
        fitting = asyncio.create_task(client.post("/predict", json={"inputs": ["g", "h", "i", "j"]}))
        await asyncio.sleep(0.05)
        assert not fitting.done()  # the stream has left it the second half of the queue
        classifier.gate.set()
        await until(lambda: len(stream.entries) == 2)
        assert (await held).status_code == (await fitting).status_code == 200
    assert not [entry for entry in stream.entries if "error" in entry]


async def test_patience_for_room_has_an_end(classifier: FakeClassifier) -> None:
    async with wire(classifier, patience={"patience_s": 0.05}, max_queue_texts=4, max_texts=4, max_batch_texts=4) as (
        stream,
        client,
    ):
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": ["a", "b", "c", "d"]}))
        await until(classifier.entered.is_set)
        stream.put(ndjson("e", 3, "f"))
        await until(lambda: len(stream.entries) == 3)
        classifier.gate.set()
        assert (await held).status_code == 200
        stream.put(ndjson("g"), more=False)
        await until(lambda: len(stream.entries) == 4)
    assert [entry.get("error", {}).get("type") for entry in stream.entries] == [
        "overloaded",
        "invalid_request",
        "overloaded",
        None,
    ]


async def test_deadline_is_each_lines(classifier: FakeClassifier) -> None:
    async with wire(classifier, deadline_ms=50) as (stream, _):
        classifier.gate.clear()
        stream.put(ndjson("late"))
        await until(lambda: len(stream.entries) == 1)
        classifier.gate.set()
        await asyncio.sleep(0.1)
        stream.put(ndjson("in time"), more=False)
        await until(lambda: len(stream.entries) == 2)
    assert [entry.get("error", {}).get("type") for entry in stream.entries] == ["deadline_exceeded", None]


async def test_an_unforeseen_error_cuts_the_stream(classifier: FakeClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(app.api.stream, "submit", explode)
    async with wire(classifier) as (stream, _):
        stream.put(ndjson("a"))
        with pytest.raises(ValueError, match=r"^$"):
            await stream.task
    assert len(stream.sent) == 1


async def test_memory_does_not_grow_with_the_stream(classifier: FakeClassifier) -> None:
    """Forty thousand lines; each piece has a thousand, far more than may be under way."""
    piece = ndjson(*(f"text {i}" for i in range(1000)))
    peaks: list[int] = []

    class Counting(Wire):
        async def _receive(self) -> dict[str, Any]:
            self.received += 1
            if self.received > 40:
                await asyncio.Event().wait()
            if self.received % 8 == 0:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
            return {"type": "http.request", "body": piece, "more_body": self.received < 40}

        async def _send(self, message: Any) -> None:
            self.num_bytes = getattr(self, "num_bytes", 0) + len(message.get("body", b""))

    async with serve(classifier) as client:
        classifier.batches = classifier.scored = Forgetful()
        tracemalloc.start()
        try:
            stream = Counting(app_of(client))
            await asyncio.wait_for(stream.task, 100)
        finally:
            tracemalloc.stop()
    assert stream.num_bytes > 4_000_000
    assert max(peaks[2:]) < 1.2 * peaks[1] + 100_000


class Forgetful(list[Any]):
    """Keeps nothing."""

    def append(self, _item: Any) -> None:
        pass

    def extend(self, _items: Any) -> None:
        pass


async def test_answers_with_many_scores_are_written_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def recording(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return answer_line(*arguments)

    monkeypatch.setattr(app.api.stream, "answer_line", recording)
    many = FakeClassifier(labels=tuple(f"label {i}" for i in range(40)), task="multi_label")
    async with serve(many) as client:
        for num_lines in (GROUP_LINES, 2):
            body = ndjson(*(f"{i} b" for i in range(num_lines)))
            answer = await client.post("/predict/stream", content=body)
            assert [entry["line"] for entry in entries(answer.content)] == [*range(1, num_lines + 1)]
    assert [name.startswith("tokenise") for name in threads] == GROUP_LINES * [True] + 2 * [False]
