"""A second version that gets copies: nobody waits for it, and its disagreements are counted."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
import pytest

from app.core.plan import Candidate, Plan, Source
from app.deployment.deployer import Deployer
from app.deployment.registry import Registry
from app.deployment.shadow import MAX_TEXTS
from tests.app.conftest import POISON, FakeClassifier, make_app, make_settings, running, service_of, until

pytestmark = pytest.mark.anyio


class Second(FakeClassifier):
    """Takes the other label for texts of two words; computes elsewhere, so that a test can hold it."""

    version = "ba9876543210"
    device = "cpu:1"

    def score(self, batch: Any) -> npt.NDArray[np.float32]:
        rows = super().score(batch)
        turned = np.array([encoded.num_tokens == 2 for encoded in batch])
        return np.where(turned[:, None], rows[:, ::-1], rows)


SECOND = Source("second")


@asynccontextmanager
async def _serve(
    classifier: FakeClassifier, second: FakeClassifier, share: float = 1.0, **settings: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """A ready server with a shadow."""
    classifiers = {"sentiment": classifier}
    app = make_app(make_settings(**settings), classifiers)
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        classifiers["second"] = second
        await service_of(app).deployer.change(
            "sentiment", lambda plan: plan and Plan(plan.primary, Candidate(SECOND, share, True))
        )
        yield client


async def _outcomes(client: httpx2.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {
        name: float(n) for name, n in re.findall(r'shadow_texts_total\{.*outcome="(\w+)".*\} (\S+)', text) if n != "0.0"
    }


async def _counted(client: httpx2.AsyncClient, num_texts: float) -> dict[str, float]:
    """The outcomes, once so many texts have one."""
    async with asyncio.timeout(5):
        while sum((outcomes := await _outcomes(client)).values()) < num_texts:  # noqa: ASYNC110  # a metric sets no asyncio.Event
            await asyncio.sleep(0.01)
    return outcomes


async def test_labels_that_a_request_names_change_no_comparison() -> None:
    """Both versions score all labels, and so the whole rows are compared."""
    labels = ("negative", "positive", "neutral")
    classifier, second = FakeClassifier(labels), FakeClassifier(labels)
    second.version, second.device = Second.version, Second.device
    async with _serve(classifier, second) as client:
        body = {"inputs": ["one", "two", "three"], "labels": ["negative", "neutral"]}
        assert (await client.post("/predict", json=body)).status_code == 200
        assert await _counted(client, 3) == {"agreed": 3.0}
    assert sorted(second.scored) == sorted(classifier.scored)


async def test_agreement_is_counted_by_text(classifier: FakeClassifier) -> None:
    async with _serve(classifier, Second()) as client:
        answer = (await client.post("/predict", json={"inputs": ["one", "two words", "now three words"]})).json()
        assert await _counted(client, 3) == {"agreed": 2, "disagreed": 1}
        metrics = (await client.get("/metrics")).text
        card = (await client.get("/models/sentiment")).json()
    assert answer["version"] == classifier.version
    # Copies are not requests.
    assert 'sluice_texts_total{model="sentiment"} 3.0' in metrics
    assert [(v["role"], v["share"]) for v in card["versions"]] == [("primary", 1.0), ("shadow", 1.0)]


async def test_a_shadow_answers_nobody_who_asks_for_its_version(classifier: FakeClassifier) -> None:
    second = Second()
    model = "/v2/models/sentiment"
    async with _serve(classifier, second) as client:
        body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
        refused = await client.post(f"{model}/versions/{second.version}/infer", json=body)
        ready = await client.get(f"{model}/versions/{second.version}/ready")
        metadata = (await client.get(model)).json()
        statistics = (await client.get(f"{model}/stats")).json()["model_stats"]
        everything = (await client.get("/v2/models/stats")).json()["model_stats"]
        index = (await client.post("/v2/repository/index")).json()
    assert (refused.status_code, ready.status_code) == (404, 404)
    assert refused.json()["error"].startswith("No loaded version of the model that answers requests has this number")
    assert metadata["versions"] == [classifier.version]
    for listed in (statistics, everything, index):
        assert [entry["version"] for entry in listed] == [classifier.version]


async def test_nobody_waits_for_a_shadow_and_what_is_too_much_is_dropped(classifier: FakeClassifier) -> None:
    second = Second()
    async with _serve(classifier, second) as client:
        second.gate.clear()
        first = await client.post("/predict", json={"inputs": "held"})
        await until(second.entered.is_set)
        rest = await client.post("/predict", json={"inputs": [f"w{i}" for i in range(MAX_TEXTS + 5)]})
        assert (first.status_code, rest.status_code) == (200, 200)
        second.gate.set()
        assert await _counted(client, MAX_TEXTS + 6) == {"agreed": MAX_TEXTS, "dropped": 6}


async def test_nothing_is_copied_while_the_primary_is_busy(classifier: FakeClassifier) -> None:
    async with _serve(classifier, Second(), max_batch_texts=2) as client:
        classifier.gate.clear()
        waiting = [asyncio.create_task(client.post("/predict", json={"inputs": [f"a{i}", f"b{i}"]})) for i in range(3)]
        registry: Registry = service_of(client).registry
        await until(lambda: registry.get(None).batcher.admission.texts == 6)
        classifier.gate.set()
        await asyncio.gather(*waiting)
        assert await _counted(client, 6) == {"agreed": 2, "dropped": 4}


async def test_a_shadow_that_fails_or_is_broken_disturbs_nobody(classifier: FakeClassifier) -> None:
    second = Second()
    async with _serve(classifier, second) as client:
        registry: Registry = service_of(client).registry
        failing = await client.post("/predict", json={"inputs": ["fine", POISON]})
        assert "error" in failing.json()["predictions"][1]
        assert await _counted(client, 1) == {"agreed": 1}  # there is nothing to compare a failure with
        second.gate = None  # type: ignore[assignment]
        await client.post("/predict", json={"inputs": "a"})
        assert await _counted(client, 2) == {"agreed": 1, "failed": 1}
        candidate = registry.deployment(None).candidate
        assert candidate is not None
        candidate.batcher.thread.give_up()
        assert (await client.post("/predict", json={"inputs": "a"})).status_code == 200
        assert await _counted(client, 3) == {"agreed": 1, "failed": 1, "dropped": 1}
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize(("share", "expected"), [(0.0, {}), (1.0, {"agreed": 1.0})])
async def test_the_share_of_requests_that_is_copied(
    classifier: FakeClassifier, share: float, expected: dict[str, float]
) -> None:
    async with _serve(classifier, Second(), share) as client:
        await client.post("/predict", json={"inputs": "a"})
        await asyncio.sleep(0.1)
        assert await _outcomes(client) == expected


async def test_a_shadow_becomes_a_canary_without_being_loaded_again(classifier: FakeClassifier) -> None:
    second = Second()
    async with _serve(classifier, second) as client:
        registry: Registry = service_of(client).registry
        deployer: Deployer = service_of(client).deployer
        await deployer.change("sentiment", lambda plan: plan and Plan(plan.primary, Candidate(SECOND, 1.0)))
        answer = (await client.post("/predict", json={"inputs": "a"})).json()
        assert answer["version"] == second.version
        assert registry.deployment(None).primary.batcher.mirror is None
        await deployer.change("sentiment", lambda _: Plan(SECOND))
        await until(lambda: not registry.deployment("sentiment").retiring)
        answer = (await client.post("/predict", json={"inputs": "a"})).json()
        metrics = (await client.get("/metrics")).text
    assert answer["version"] == second.version
    assert 'sluice_version_requests_total{model="sentiment",version="ba9876543210"} 2.0' in metrics
