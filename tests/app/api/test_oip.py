import json
import struct
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.app.conftest import POISON, FakeClassifier, make_app, make_settings, running, serve, service_of

pytestmark = pytest.mark.anyio

INFER = "/v2/models/sentiment/infer"
TEXTS = ["a fine film", "", "两个 词"]


def tensor(texts: list[Any], shape: list[int] | None = None, **values: Any) -> dict[str, Any]:
    return {"name": "text", "shape": shape or [len(texts)], "datatype": "BYTES", "data": texts} | values


def elements(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


async def binary(client: httpx2.AsyncClient, data: bytes, head: dict[str, Any]) -> httpx2.Response:
    start = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(start))}
    return await client.post(INFER, content=start + data, headers=headers)


def named(body: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output for output in body["outputs"]}


@pytest.mark.parametrize("texts", [tensor(TEXTS), tensor([[text] for text in TEXTS], [3, 1]), tensor(TEXTS, [3, 1])])
async def test_json_both_ways(classifier: FakeClassifier, texts: dict[str, Any]) -> None:
    async with serve(classifier) as client:
        response = await client.post(INFER, json={"id": "mine", "inputs": [texts]})
    body = response.json()
    positive = [classifier.positive(text) for text in TEXTS]
    assert (body["model_name"], body["model_version"], body["id"]) == ("sentiment", "0123456789ab", "mine")
    assert [output["name"] for output in body["outputs"]] == ["label", "score", "probabilities"]
    label, score, probabilities = body["outputs"]
    assert (label["datatype"], label["shape"]) == ("BYTES", [3])
    assert label["data"] == ["positive" if p > 0.5 else "negative" for p in positive]
    assert (score["datatype"], score["shape"]) == ("FP32", [3])
    assert score["data"] == pytest.approx([max(p, 1 - p) for p in positive], abs=2e-6)
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP32", [3, 2])
    assert probabilities["data"][1::2] == positive


async def test_binary_both_ways(classifier: FakeClassifier) -> None:
    data = elements(*(text.encode() for text in TEXTS))
    head = {
        "inputs": [tensor([], [3], parameters={"binary_data_size": len(data)})],
        "parameters": {"binary_data_output": True},
        "outputs": [
            {"name": "probabilities"},
            {"name": "score", "parameters": {"binary_data": False}},
            {"name": "label", "parameters": {"binary_data": True}},
        ],
    }
    del head["inputs"][0]["data"]  # type: ignore[index]
    async with serve(classifier) as client:
        response = await binary(client, data, head)
    assert response.headers["content-type"] == "application/octet-stream"
    end = int(response.headers["inference-header-content-length"])
    body = json.loads(response.content[:end])
    assert "id" not in body
    outputs = named(body)
    assert outputs["probabilities"]["parameters"] == {"binary_data_size": 24}
    assert "data" not in outputs["probabilities"]
    assert "parameters" not in outputs["score"]
    rows = np.frombuffer(response.content[end : end + 24], "<f4").reshape(3, 2)
    positive = [classifier.positive(text) for text in TEXTS]
    assert rows[:, 1].tolist() == pytest.approx(positive, abs=1e-6)
    assert response.content[end + 24 :] == elements(*(b"positive" if p > 0.5 else b"negative" for p in positive))


async def test_nothing_asked_nothing_answered(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        body = (await client.post(INFER, json={"inputs": [tensor([], [0])]})).json()
    assert [output["shape"] for output in body["outputs"]] == [[0], [0], [0, 2]]


async def test_large_answers_are_built_off_the_loop() -> None:
    classifier = FakeClassifier(tuple(f"label{i}" for i in range(100)), "multi_label")
    async with serve(classifier) as client:
        body = (await client.post(INFER, json={"inputs": [tensor([f"text {i}" for i in range(30)])]})).json()
    assert named(body)["probabilities"]["shape"] == [30, 100]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"inputs": []}, "Expected `array` of length >= 1 - at `$.inputs`."),
        ({"inputs": [tensor(["a"], name="other")]}, "The only input is `text`, of datatype BYTES."),
        ({"inputs": [tensor(["a"], datatype="FP32")]}, "The only input is `text`, of datatype BYTES."),
        ({"inputs": [tensor(["a"], [1, 2])]}, "The input's shape must be [n] or [n, 1]."),
        ({"inputs": [tensor(["a"], [2])]}, "The input has 1 elements, but its shape says 2."),
        ({"inputs": [tensor(["a"], [-1])]}, "Expected `int` >= 0 - at `$.inputs[0].shape[0]`."),
        ({"inputs": [tensor(["a"], data=None)]}, "The input has neither `data` nor `binary_data_size`."),
        (
            {"inputs": [tensor(["a"], parameters={"content_type": "base64"})]},
            "The input must be plain text, not base64.",
        ),
        (
            {"inputs": [tensor(["a"], parameters={"binary_data_size": 0})]},
            "The input has both `data` and `binary_data_size`.",
        ),
        (
            {"inputs": [tensor([], data=None, parameters={"binary_data_size": 7})]},
            "`binary_data_size` must be the number of bytes that follow the JSON: 0.",
        ),
        ({"outputs": [{"name": "my private text"}]}, "The outputs are `label`, `score` and `probabilities`."),
        ({"outputs": [{"name": "score"}] * 2}, "`outputs` names `score` twice; each output comes once."),
        (
            {"outputs": [{"name": "label", "parameters": {"classification": 2}}]},
            "Outputs cannot be asked for as classifications; `probabilities` has them all.",
        ),
        ({"outputs": [{"name": "label", "parameters": {"binary_data": 1}}]}, "`binary_data` must be true or false."),
        ({"parameters": {"binary_data_output": "yes"}}, "`binary_data_output` must be true or false."),
    ],
)
async def test_wrong_requests_are_400_with_a_sentence(
    classifier: FakeClassifier, change: dict[str, Any], error: str
) -> None:
    async with serve(classifier) as client:
        response = await client.post(INFER, json={"inputs": [tensor(["a"])]} | change)
    assert (response.status_code, response.json()) == (400, {"error": error})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x01", "Element 0 of the input reaches beyond its end."),
        (b"\x09\0\0\0abc", "Element 0 of the input reaches beyond its end."),
        (elements(b"a") + b"\xff\xff\xff\xffx", "Element 1 of the input reaches beyond its end."),
        (elements(b"a", b"\xff"), "Element 1 of the input is not valid UTF-8."),
        (elements(b"a"), "The input has 1 elements, but its shape says 2."),
        (elements(b"a", b"b", b"c", b"\xff"), "The input has more elements than its shape says: 2."),
    ],
)
async def test_wrong_bytes_are_located(classifier: FakeClassifier, data: bytes, error: str) -> None:
    head = {"inputs": [tensor([], [2], data=None, parameters={"binary_data_size": len(data)})]}
    async with serve(classifier) as client:
        response = await binary(client, data, head)
    assert (response.status_code, response.json()) == (400, {"error": error})


async def test_of_too_many_the_rest_is_not_read(classifier: FakeClassifier) -> None:
    data = elements(b"a", b"b", b"c", b"\xff")
    head = {"inputs": [tensor([], [4], data=None, parameters={"binary_data_size": len(data)})]}
    async with serve(classifier, max_texts=2) as client:
        response = await binary(client, data, head)
    assert response.status_code == 413
    assert response.json()["error"].startswith("The request has 4 texts; the limit is 2.")


@pytest.mark.parametrize(
    ("length", "error"),
    [
        ("x", "The header Inference-Header-Content-Length must be a whole number of bytes."),
        ("9999", "The body ends before the JSON that its header announces."),
        ("5", "The JSON ends too early (byte 5)."),
    ],
)
async def test_wrong_length_header(classifier: FakeClassifier, length: str, error: str) -> None:
    async with serve(classifier) as client:
        headers = {"Inference-Header-Content-Length": length}
        response = await client.post(INFER, json={"inputs": [tensor(["a"])]}, headers=headers)
    assert (response.status_code, response.json()) == (400, {"error": error})


async def test_bytes_that_nobody_announced(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await binary(client, b"more", {"inputs": [tensor(["a"])]})
    assert response.json() == {"error": "Bytes follow the JSON, but the input has no `binary_data_size`."}


async def test_other_errors_have_their_status(classifier: FakeClassifier) -> None:
    async with serve(classifier, max_chars=10, max_texts=2) as client:
        poisoned = await client.post(INFER, json={"inputs": [tensor(["a", POISON])]})
        long = await client.post(INFER, json={"inputs": [tensor(["x" * 11])]})
        many = await client.post(INFER, json={"inputs": [tensor(["a", "b", "c"])]})
        unknown = await client.post("/v2/models/other/infer", json={"inputs": [tensor(["a"])]})
        version = await client.post("/v2/models/sentiment/versions/9/infer", json={"inputs": [tensor(["a"])]})
        right = await client.post("/v2/models/sentiment/versions/0123456789ab/infer", json={"inputs": [tensor(["a"])]})
    assert [r.status_code for r in (poisoned, long, many, unknown, version, right)] == [500, 413, 413, 404, 404, 200]
    assert list(poisoned.json()) == ["error"]
    assert "It is text 1" in poisoned.json()["error"]


async def test_metadata(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        server = (await client.get("/v2")).json()
        model = (await client.get("/v2/models/sentiment")).json()
        version = (await client.get("/v2/models/sentiment/versions/0123456789ab")).json()
        wrong = await client.get("/v2/models/sentiment/versions/1")
    assert server["extensions"] == ["binary_tensor_data", "model_configuration", "statistics"]
    assert model == version
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1], "parameters": {}}]
    assert model["outputs"][2]["shape"] == [-1, 2]
    assert model["outputs"][2]["parameters"] == {"labels": ["negative", "positive"]}
    assert (wrong.status_code, list(wrong.json())) == (404, ["error"])


async def test_health(classifier: FakeClassifier) -> None:
    paths = [
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/sentiment/ready",
        "/v2/models/sentiment/versions/0123456789ab/ready",
        "/v2/models/other/ready",
    ]
    async with serve(classifier) as client:
        good = [(await client.get(path)).status_code for path in paths]
        service_of(client).registry.draining = True
        leaving = [(await client.get(path)).status_code for path in paths]
    assert good == [200, 200, 200, 200, 404]
    assert leaving == [200, 503, 503, 503, 404]


async def test_not_ready_while_loading(classifier: FakeClassifier) -> None:
    app = make_app(make_settings(), {"sentiment": classifier})
    async with running(app) as client:
        ready = await client.get("/v2/models/sentiment/ready")
        infer = await client.post(INFER, json={"inputs": [tensor(["a"])]})
        model = await client.get("/v2/models/sentiment")
    assert (ready.status_code, ready.json()) == (503, {"name": "sentiment", "ready": False})
    assert infer.status_code == model.status_code == 503
    assert (infer.json(), infer.headers["retry-after"]) == ({"error": "The model is being loaded."}, "1")
