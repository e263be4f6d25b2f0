"""The steps that every form of request shares; what each form makes of them is in its own tests."""

import asyncio
import json
import struct
import tracemalloc
from collections.abc import MutableMapping
from typing import Any

import pytest

from tests.app.conftest import FakeClassifier, app_of, serve, until

pytestmark = pytest.mark.anyio

NUM_CHARS = 4_000_000
"""Of a text, as many as the body's bytes."""

BINARY = b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":%d}}]}'


def _body(path: str, text: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    if path != "/v2/models/sentiment/infer":
        return json.dumps({"input" if "classify" in path else "inputs": text}).encode(), []
    data = struct.pack("<I", len(text)) + text.encode()
    start = BINARY % len(data)
    return start + data, [(b"inference-header-content-length", str(len(start)).encode())]


@pytest.mark.parametrize("path", ["/predict", "/", "/classify", "/embed", "/v2/models/sentiment/infer"])
@pytest.mark.parametrize("cache_texts", [0, 8])
async def test_who_waits_for_the_device_holds_neither_the_body_nor_the_text(
    classifier: FakeClassifier, path: str, cache_texts: int
) -> None:
    async with serve(classifier, max_chars=NUM_CHARS, cache_texts=cache_texts) as client:
        classifier.gate.clear()
        unread = [_body(path, "x" * NUM_CHARS)]
        headers = unread[0][1]
        answer: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            if not unread:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": unread.pop()[0]}

        async def send(message: MutableMapping[str, Any]) -> None:
            answer.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"headers": headers, "client": ("127.0.0.1", 1), "root_path": "", "http_version": "1.1"}
        tracemalloc.start()
        try:
            asking = asyncio.create_task(app_of(client)(scope, receive, send))
            await until(lambda: classifier.entered.is_set() or asking.done())
            held, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            classifier.gate.set()
        await asking
    assert answer[0]["status"] == 200
    assert most > NUM_CHARS
    assert held < NUM_CHARS / 4
