import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.types import Message

from app.core.errors import RequestTooSlow
from app.core.log import JsonFormatter
from app.http.request_log import cut_short
from tests.app.conftest import (
    POISON,
    FakeClassifier,
    app_of,
    make_app,
    make_settings,
    running,
    serve,
    service_of,
    until,
)

pytestmark = pytest.mark.anyio


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


async def test_one_line_a_request(classifier: FakeClassifier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app.request"):
        async with serve(classifier) as client:
            await client.post("/predict", json={"inputs": ["two words", "one"]}, headers={"X-Request-Id": "order-66"})
    (line,) = (line for line in lines(caplog) if line["logger"] == "app.request")
    assert line.pop("ms") > 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "app.request",
        "message": "request",
        "request_id": "order-66",
        "client": "127.0.0.1",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "model": "sentiment",
        "texts": 2,
        "tokens": 3,
    }


async def test_a_line_has_no_field_that_says_nothing(
    classifier: FakeClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app.request"):
        async with serve(classifier) as client:
            await client.get("/nothing")
    (line,) = (line for line in lines(caplog) if line["logger"] == "app.request")
    fields = {"time", "level", "logger", "message", "request_id", "client", "method", "route", "status", "ms"}
    assert set(line) == fields


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2:3", True), ("", False), ("a b", False), ("x" * 129, False), ('a"b', False)]
)
async def test_request_id_is_kept_if_harmless(classifier: FakeClassifier, given: str, kept: bool) -> None:
    async with serve(classifier) as client:
        response = await client.get("/health/live", headers={"X-Request-Id": given})
    assert (response.headers["x-request-id"] == given) == kept
    assert response.headers["x-request-id"]


async def test_text_is_in_no_log(
    classifier: FakeClassifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any) -> bytes:
        raise ValueError("SECRET in an exception")

    with caplog.at_level(logging.DEBUG):
        async with serve(classifier, max_chars=100) as client:
            for inputs in (
                f"SECRET {POISON}",
                ["SECRET", "untokenisable"],
                "SECRET" * 30,
                {"SECRET": 1},
            ):
                await client.post("/predict", json={"inputs": inputs, "model": None})
            await client.post("/predict?q=SECRET&SECRET%20", json={"inputs": "a"})
            await client.post("/predict", content=b"SECRET\xff")
            await client.get("/models/SECRET")
            await client.get("/SECRET")
            monkeypatch.setattr("app.api.predict.PredictForm.render", explode)
            await client.post("/predict", json={"inputs": "SECRET"})
    written = [
        JsonFormatter().format(record) for record in caplog.records if record.name.startswith(("app", "uvicorn"))
    ]
    assert len(written) > 8
    assert not [line for line in written if "SECRET" in line or "untokenisable" in line]
    (unforeseen,) = (json.loads(line) for line in written if "unforeseen" in line)
    assert unforeseen["exception"] == "ValueError"
    assert unforeseen["at"][-1].endswith(" explode")


async def test_end_of_patience_is_a_problem_too(classifier: FakeClassifier) -> None:
    app = make_app(make_settings(), {"sentiment": classifier})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b'{"inputs":"a"}', "more_body": False})
    scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict", "headers": []}
    scope |= {"query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http"}
    async with running(app):
        await until(lambda: service_of(app).registry.ready)
        classifier.gate.clear()
        task = asyncio.create_task(app(scope, messages.get, send))
        await until(classifier.entered.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        classifier.gate.set()
    assert (sent[0]["status"], json.loads(sent[1]["body"])["error_type"]) == (503, "not_ready")


@pytest.mark.parametrize("path", ["/models/sentiment", "/v2/models/sentiment"])
async def test_unforeseen_error_of_fastapis_routes_has_the_form_of_its_path(
    classifier: FakeClassifier, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(_name: str) -> None:
        raise RuntimeError

    async with serve(classifier) as client:
        monkeypatch.setattr(service_of(client).registry, "deployment", explode)
        response = await client.get(path, headers={"X-Request-Id": "order-66"})
    assert response.status_code == 500
    assert "The request id finds the cause in its log." in response.json()["error"]
    assert [line["request_id"] for line in lines(caplog) if line["level"] == "error"] == ["order-66"]


@pytest.mark.parametrize("path", ["/predict", "/v2/models/sentiment/infer"])
async def test_what_cut_a_request_short_is_logged(
    classifier: FakeClassifier, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"root_path": "", "http_version": "1.1", "scheme": "http", "headers": []}
    sent: list[Message] = []

    async def receive() -> Message:
        cut_short(scope, RequestTooSlow())
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    with caplog.at_level(logging.INFO, "app.request"):
        async with serve(classifier) as client:
            await app_of(client)(scope, receive, send)
    (line,) = (line for line in lines(caplog) if line["logger"] == "app.request")
    assert line["status"] == sent[0]["status"] == 408
