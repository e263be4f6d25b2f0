"""Triton's extensions: configuration, statistics and the index of models."""

import json
import time
from typing import Any

import pytest

from tests.app.conftest import POISON, FakeClassifier, make_app, make_settings, running, serve, service_of

pytestmark = pytest.mark.anyio

VERSION = FakeClassifier.version
MODEL = "/v2/models/sentiment"


async def test_the_configuration_is_that_of_the_model(classifier: FakeClassifier) -> None:
    async with serve(FakeClassifier(("bad", "fair", "good"))) as client:
        config = (await client.get(f"{MODEL}/config")).json()
        same = (await client.get(f"{MODEL}/versions/{VERSION}/config")).json()
        metadata = (await client.get(MODEL)).json()
    assert config == same
    assert (config["name"], config["max_batch_size"]) == ("sentiment", 0)
    assert config["input"] == [{"name": "text", "data_type": "TYPE_STRING", "dims": [-1]}]
    assert {output["name"]: output["dims"] for output in config["output"]} == {
        output["name"]: output["shape"] for output in metadata["outputs"]
    }
    assert config["instance_group"] == [{"name": "sentiment", "kind": "KIND_CPU", "count": 1}]
    told = {name: value["string_value"] for name, value in config["parameters"].items()}
    assert json.loads(told["labels"]) == ["bad", "fair", "good"]
    assert (told["max_tokens"], told["version"]) == ("16", VERSION)


async def test_a_gpu_is_named(classifier: FakeClassifier) -> None:
    classifier.device = "cuda:0"
    async with serve(classifier) as client:
        config = (await client.get(f"{MODEL}/config")).json()
    assert config["instance_group"][0]["kind"] == "KIND_GPU"


async def test_statistics_count_what_was_answered(classifier: FakeClassifier) -> None:
    started = time.time()
    async with serve(classifier, cache_texts=10) as client:
        nothing = (await client.get(f"{MODEL}/stats")).json()
        for texts in (["a", "b"], ["a"], [POISON, "c"]):
            assert (await client.post("/predict", json={"inputs": texts})).status_code == 200
        found = (await client.get(f"{MODEL}/stats")).json()
        assert (await client.get(f"{MODEL}/versions/{VERSION}/stats")).json() == found
        assert (await client.get("/v2/models/stats")).json() == found
    (before,), (after,) = nothing["model_stats"], found["model_stats"]
    assert (before["last_inference"], before["inference_count"], before["execution_count"]) == (0, 0, 0)
    assert all(duration == {"count": 0, "ns": 0} for duration in before["inference_stats"].values())
    assert (after["name"], after["version"], after["inference_count"]) == ("sentiment", VERSION, 5)
    assert started - 1 <= after["last_inference"] / 1000 <= time.time()
    assert after["execution_count"] >= 2
    stats = after["inference_stats"]
    counts = {name: duration["count"] for name, duration in stats.items()}
    assert (counts["success"], counts["fail"], counts["cache_hit"], counts["cache_miss"]) == (3, 1, 1, 4)
    assert counts["queue"] == counts["compute_input"] == counts["compute_infer"] == 3
    parts = sum(stats[name]["ns"] for name in ("queue", "compute_input", "compute_infer"))
    assert stats["success"]["ns"] == pytest.approx(parts, abs=10)
    assert stats["compute_infer"]["ns"] > 0
    assert after["batch_stats"] == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": false}', b'{"ready": true}'])
async def test_the_index_lists_what_is_ready(classifier: FakeClassifier, body: bytes) -> None:
    async with serve(classifier) as client:
        listed = await client.post("/v2/repository/index", content=body)
    assert listed.json() == [{"name": "sentiment", "version": VERSION, "state": "READY", "reason": ""}]


async def test_the_index_lists_what_is_not_ready_unless_asked_not_to() -> None:
    slow = FakeClassifier()
    app = make_app(make_settings(), {"sentiment": slow})
    async with running(app) as client:
        registry = service_of(app).registry
        registry.draining = True
        (entry,) = (await client.post("/v2/repository/index")).json()
        assert (entry["name"], entry["state"]) == ("sentiment", "UNAVAILABLE")
        assert entry["reason"] == "the server is shutting down"
        assert (await client.post("/v2/repository/index", content=b'{"ready":true}')).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/v2/models/none/config", b"", 404, "No model has this name"),
        ("GET", "/v2/models/none/stats", b"", 404, "No model has this name"),
        ("GET", f"{MODEL}/versions/1/stats", b"", 404, "No loaded version"),
        ("GET", f"{MODEL}/versions/1/config", b"", 404, "No loaded version"),
        ("POST", "/v2/repository/index", b'{"ready": 1}', 400, "Expected `bool`"),
        ("POST", "/v2/repository/index", b"{", 400, "ends too early"),
    ],
)
async def test_errors_have_the_protocols_form(
    classifier: FakeClassifier, method: str, path: str, body: bytes, status: int, error: str
) -> None:
    async with serve(classifier) as client:
        answer = await client.request(method, path, content=body)
    found: Any = answer.json()
    assert (answer.status_code, list(found)) == (status, ["error"])
    assert error in found["error"]
