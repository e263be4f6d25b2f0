"""Answers remembered: which, how many, and that a text is computed once."""

import asyncio

import numpy as np
import pytest

from app.batching.cache import ResultCache
from app.core.job import Answer
from model.text import Encoded
from tests.app.conftest import POISON, FakeClassifier, serve, service_of, until

ENCODED = Encoded(np.zeros(1, dtype=np.int32))

pytestmark = pytest.mark.anyio


def _answer(value: float) -> Answer:
    row = np.array([value], dtype=np.float32)
    return Answer(row, ENCODED, row)


def test_those_asked_last_are_remembered() -> None:
    cache = ResultCache(2)
    a, b, c, broken = cache.digests(["a", "b", "c", "\ud800"])
    cache.keep(a, _answer(1))
    cache.keep(b, _answer(2))
    assert cache.recall([a])[0] == []
    cache.keep(c, _answer(3))
    missing, known = cache.recall([a, b, c, broken])
    assert missing == [1, 3]
    assert [(index, float(answer.probabilities[0])) for index, answer in known] == [(0, 1.0), (2, 3.0)]
    assert len(cache) == 2


def test_an_answer_holds_no_batch() -> None:
    cache = ResultCache(1)
    batch = np.zeros((1000, 2), np.float32)
    (digest,) = cache.digests(["a"])
    cache.keep(digest, Answer(batch[0], Encoded(np.zeros(1000, np.int32)[:2]), batch[1]))
    _, [(_, answer)] = cache.recall([digest])
    assert all(array.base is None for array in (answer.probabilities, answer.encoded.ids, answer.logits))


def test_none_are_kept_by_default() -> None:
    cache = ResultCache(0)
    assert cache.digests(["a", "b"]) == []


async def test_a_text_that_comes_again_is_not_computed_again(classifier: FakeClassifier) -> None:
    async with serve(classifier, cache_texts=8) as client:
        first = await client.post("/predict", json={"inputs": ["one two", "three"]})
        again = await client.post("/predict", json={"inputs": ["three", "four", "one two"]})
        alone = await client.post("/predict", json={"inputs": "one two"})
        metrics = (await client.get("/metrics")).text
    one, three = first.json()["predictions"]
    assert [again.json()["predictions"][place] for place in (0, 2)] == [three, one]
    assert alone.json()["predictions"] == [one]
    assert sorted(map(len, classifier.batches)) == [1, 2]
    assert 'sluice_cache_hits_total{model="sentiment"} 3.0' in metrics
    assert 'sluice_cache_misses_total{model="sentiment"} 3.0' in metrics
    assert 'sluice_queue_texts{model="sentiment"} 0.0' in metrics


async def test_a_remembered_answer_is_given_under_load_and_what_is_refused_is_not_counted(
    classifier: FakeClassifier,
) -> None:
    async with serve(classifier, cache_texts=8) as client:
        known = await client.post("/predict", json={"inputs": "known"})
        service_of(client).registry.get(None).batcher.admission.computed(1, 1000.0)  # a device that is slow
        classifier.entered.clear()
        classifier.gate.clear()
        filling = asyncio.create_task(client.post("/predict", json={"inputs": "a"}))
        await until(classifier.entered.is_set)
        again = await client.post("/predict", json={"inputs": "known"})
        nothing = await client.post("/predict", json={"inputs": []})
        refused = await client.post("/predict", json={"inputs": ["known", "new"]})
        classifier.gate.set()
        await filling
        metrics = (await client.get("/metrics")).text
    assert again.json() == known.json()
    assert (nothing.status_code, refused.status_code) == (200, 503)
    assert 'sluice_cache_hits_total{model="sentiment"} 1.0' in metrics
    assert 'sluice_cache_misses_total{model="sentiment"} 2.0' in metrics


async def test_a_failure_is_not_remembered(classifier: FakeClassifier) -> None:
    async with serve(classifier, cache_texts=8) as client:
        for _ in range(2):
            answer = await client.post("/predict", json={"inputs": [POISON]})
            assert answer.json()["predictions"][0]["error"]["type"] == "compute_error"
        metrics = (await client.get("/metrics")).text
    assert 'sluice_cache_hits_total{model="sentiment"} 0.0' in metrics
