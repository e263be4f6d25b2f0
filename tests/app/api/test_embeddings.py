import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from app.config.sections import SHIPPED_CHECKPOINT
from model.embedder import load_embedder
from model.vectors import embed
from tests.app.conftest import FakeClassifier, FakeEmbedder, make_app, make_settings, running, serve, service_of, until

pytestmark = pytest.mark.anyio

TEXTS = ["two words", "", "two words", "a longer text of words"]


def vectors(classifier: FakeClassifier, *, normalize: bool = True) -> np.ndarray:
    found: np.ndarray = classifier.vectors(classifier.encode(TEXTS)).astype(np.float64)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(lengths > 0, lengths, 1) if normalize else found


async def test_teis_form(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        answer = await client.post("/embed", json={"inputs": TEXTS})
        one = await client.post("/embed", json={"inputs": TEXTS[3], "truncation_direction": "Right", "truncate": True})
        raw = await client.post("/embed", json={"inputs": TEXTS, "normalize": False, "prompt_name": None})
        none = await client.post("/embed", json={"inputs": []})
    assert answer.headers["x-model-version"] == classifier.version
    np.testing.assert_allclose(answer.json(), vectors(classifier), atol=1e-6)
    assert answer.json()[1] == [0, 0, 0]
    np.testing.assert_allclose(one.json(), vectors(classifier)[3:], atol=1e-6)
    np.testing.assert_allclose(raw.json(), vectors(classifier, normalize=False), atol=1e-6)
    assert none.json() == []


async def test_openais_form(classifier: FakeClassifier) -> None:
    body = {"model": "sentiment", "input": TEXTS, "user": "me", "dimensions": 3}
    async with serve(classifier) as client:
        answer = (await client.post("/v1/embeddings", json=body)).json()
        packed = (await client.post("/v1/embeddings", json={**body, "encoding_format": "base64"})).json()
    data = answer.pop("data")
    assert answer == {"object": "list", "model": "sentiment", "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    assert [(entry["object"], entry["index"]) for entry in data] == [("embedding", index) for index in range(4)]
    np.testing.assert_allclose([entry["embedding"] for entry in data], vectors(classifier), atol=1e-6)
    unpacked = [np.frombuffer(base64.b64decode(entry["embedding"]), "<f4") for entry in packed["data"]]
    np.testing.assert_allclose(unpacked, vectors(classifier), atol=1e-6)


LONG = "word " * 17


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/embed", {"inputs": [1]}, 422, "$.inputs[0]"),
        ("/embed", {"inputs": "a", "truncation_direction": "Left"}, 422, "truncation_direction"),
        ("/embed", {"inputs": "a", "dimensions": 3}, 422, "dimensions"),
        ("/embed", {"inputs": "a", "model": "other"}, 404, "No model has this name"),
        ("/embed", {"inputs": ["a", LONG], "truncate": False}, 413, "It is text 1 of the request"),
        ("/embed", {"inputs": "x" * 101}, 413, "101 characters"),
        ("/embed", {"inputs": ["a"] * 9}, 413, "9 texts"),
        ("/embed", {"inputs": ["a", "poison"]}, 500, "text 1 of the request"),
        ("/v1/embeddings", {"input": [[1, 2]]}, 422, "$.input[0]"),
        ("/v1/embeddings", {"input": "a", "dimensions": 2}, 422, "`dimensions` must be left out or be 3"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "int8"}, 422, "encoding_format"),
        ("/v1/embeddings", {"input": "a", "model": "gpt"}, 404, "No model has this name"),
    ],
)
async def test_what_is_wrong_is_said(
    classifier: FakeClassifier, path: str, body: dict[str, Any], status: int, says: str
) -> None:
    async with serve(classifier, max_chars=100, max_texts=8) as client:
        answer = await client.post(path, json=body)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
        assert (await client.post("/embed", json={"inputs": LONG})).status_code == 200


async def test_vectors_and_labels_are_counted_together_but_have_their_own_answers(classifier: FakeClassifier) -> None:
    async with serve(classifier, cache_texts=8) as client:
        for _ in range(2):
            assert len((await client.post("/embed", json={"inputs": "two words"})).json()[0]) == 3
            assert (await client.post("/predict", json={"inputs": "two words"})).status_code == 200
        await asyncio.sleep(0)  # a job is counted in the turn after its answer
        metrics = (await client.get("/metrics")).text
    assert 'sluice_texts_total{model="sentiment"} 4' in metrics
    assert 'sluice_cache_hits_total{model="sentiment"} 1' in metrics
    given = [line for line in metrics.splitlines() if line.startswith("sluice_predictions_total{")]
    assert sum(float(line.rpartition(" ")[2]) for line in given) == 2


async def test_the_queue_of_vectors_has_its_limit_and_its_deadline(classifier: FakeClassifier) -> None:
    headers, body = {"X-Request-Timeout-Ms": "300"}, {"inputs": TEXTS[0] + " x" * 300}
    async with serve(classifier, max_queue_texts=1, max_texts=1, max_batch_texts=1) as client:
        classifier.gate.clear()
        late = asyncio.create_task(client.post("/embed", json=body, headers=headers))
        await until(classifier.entered.is_set)
        refused = await client.post("/embed", json=body)
        assert (refused.status_code, refused.json()["error_type"]) == (503, "overloaded")
        first = await late
        assert (first.status_code, first.json()["error_type"]) == (504, "deadline_exceeded")
        classifier.gate.set()
        assert (await client.post("/embed", json={"inputs": "a"})).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"inputs": "a"}),
        ("/", {"inputs": "a"}),
        ("/classify", {"input": "a"}),
        ("/explain", {"inputs": "a"}),
        ("/predict/stream", {"inputs": "a"}),
    ],
)
async def test_who_gives_vectors_alone_says_so(path: str, body: dict[str, str]) -> None:
    async with serve(FakeEmbedder()) as client:
        answer = await client.post(path, json=body)
        assert answer.status_code == 422
        assert "gives sentence vectors and no labels: POST /embed" in answer.json()["detail"]


async def test_an_embedder_is_a_model_like_others() -> None:
    async with serve(embedder := FakeEmbedder()) as client:
        np.testing.assert_allclose(
            (await client.post("/embed", json={"inputs": TEXTS})).json(), vectors(embedder), atol=1e-6
        )
        (card,) = (await client.get("/models")).json()["models"]
        assert (card["task"], card["labels"], card["vector_size"]) == ("embedding", [], 3)
        for path in ("/v2/models/sentiment", "/v2/models/sentiment/config"):
            assert (await client.get(path)).status_code == 400
        infer = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
        assert (await client.post("/v2/models/sentiment/infer", json=infer)).status_code == 400
        assert 'sluice_texts_total{model="sentiment"} 4' in (await client.get("/metrics")).text


async def test_a_canary_gives_no_vectors() -> None:
    primary, canary = FakeClassifier(), FakeClassifier()
    canary.version = "cccccccccccc"
    settings = make_settings(canary="sentiment=canary@0.9")
    app = make_app(settings, {"sentiment": primary, "canary": canary})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        versions = {(await ask(client, "/embed")).headers["x-model-version"] for _ in range(20)}
        assert versions == {primary.version}


async def ask(client: httpx2.AsyncClient, path: str) -> httpx2.Response:
    return await client.post(path, json={"inputs": "a"})


async def test_folders_from_disk(tiny_encoder: Path) -> None:
    paths = {"encoder": tiny_encoder, "shipped": SHIPPED_CHECKPOINT}
    app = make_app(make_settings(model=paths, device="cpu", dtype="auto"))
    texts = ["a good film", "难看的电影"]
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready, timeout_s=30)
        for name, path in paths.items():
            answer = await client.post("/embed", json={"inputs": texts, "model": name})
            wanted = embed(load_embedder(path, device="cpu", dtype="auto"), texts)
            np.testing.assert_allclose(answer.json(), wanted, atol=1e-5)
