"""Counts of the answers, and their drift from the reference."""

import asyncio
import dataclasses
import re
import weakref

import numpy as np
import pytest
from httpx2 import AsyncClient

from app.core.errors import ComputeError
from app.core.job import Job, Scores
from app.telemetry.drift import FEWEST_TEXTS, PENDING_TEXTS, Answers
from app.telemetry.metrics import Metrics
from model.profile import Reference
from model.text import Encoded
from tests.app.conftest import POISON, FakeClassifier, make_app, make_settings, running, serve, service_of, until

UNSURE, SURE = np.array([0.55, 0.45], dtype=np.float32), np.array([0.02, 0.98], dtype=np.float32)
SHORT, LONG = (Encoded(np.zeros(length, dtype=np.int32)) for length in (3, 100))


def value(text: str, name: str) -> float | None:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def rendered(metrics: Metrics) -> str:
    return metrics.render(metrics.snapshot()).decode()


def with_reference() -> FakeClassifier:
    """One text in four is positive, sure of it and short."""
    classifier = FakeClassifier()
    profile = classifier.profile([SHORT] * 4000, np.array([SURE] * 1000 + [UNSURE] * 3000))
    classifier.reference = Reference.of(profile, classifier.labels, ())
    return classifier


def drift(metrics: Metrics) -> dict[str, float]:
    found = re.findall(r'^sluice_drift\{aspect="(\w+)",.*\} (\S+)$', rendered(metrics), re.MULTILINE)
    return {aspect: float(index) for aspect, index in found}


def test_texts_like_the_reference_are_no_drift_and_others_are() -> None:
    metrics = Metrics()
    answers = metrics.answers.of("m", with_reference())
    alike = np.array([SURE, *[UNSURE] * 3])
    for _ in range(FEWEST_TEXTS // 4 - 1):
        answers.note([SHORT] * 4, alike)
    assert drift(metrics) == {}, "too few to tell"
    answers.note([SHORT] * 4, alike)
    assert drift(metrics) == pytest.approx({"label": 0, "confidence": 0, "length": 0, "unknown": 0}, abs=0.01)

    for _ in range(2000 // PENDING_TEXTS):
        for _ in range(PENDING_TEXTS // 4):
            answers.note([LONG] * 4, alike)
    changed = drift(metrics)
    assert changed["length"] > 0.25
    assert max(changed["label"], changed["confidence"]) < 0.01

    for _ in range(50_000 // PENDING_TEXTS):
        answers.note([SHORT] * PENDING_TEXTS, np.array([SURE] * PENDING_TEXTS))
    changed = drift(metrics)
    assert changed["length"] < 0.1, "the long ones are forgotten"
    assert min(changed["label"], changed["confidence"]) > 0.25


def test_without_a_reference_there_are_counts_and_no_drift() -> None:
    metrics = Metrics()
    answers = metrics.answers.of("m", FakeClassifier())
    answers.note([SHORT] * FEWEST_TEXTS, np.array([SURE] * FEWEST_TEXTS))
    text = rendered(metrics)
    assert value(text, 'sluice_predictions_total{label="positive",model="m",version="0123456789ab"}') == FEWEST_TEXTS
    assert value(text, 'sluice_predictions_total{label="negative",model="m",version="0123456789ab"}') == 0
    assert value(text, 'sluice_text_tokens_bucket{le="4.0",model="m"}') == FEWEST_TEXTS
    assert value(text, 'sluice_text_tokens_sum{model="m"}') == 3 * FEWEST_TEXTS
    assert drift(metrics) == {}


@pytest.mark.anyio
async def test_a_version_that_retires_counts_to_its_last_answer_and_shows_no_drift() -> None:
    older, newer = with_reference(), FakeClassifier()
    newer.version = "ba9876543210"
    gone = weakref.ref(older)
    classifiers = {"m": older}
    app = make_app(make_settings(), classifiers)
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        registry, metrics = service_of(app).registry, service_of(app).metrics
        batcher = registry.get("m").batcher
        await batcher.submit([str(number) for number in range(FEWEST_TEXTS)], 10).done
        assert len(drift(metrics)) == 4
        with batcher.held():  # as a stream does
            classifiers["m"] = newer
            await service_of(app).deployer._reload(insist=True)
            await batcher.submit(["the next line"], 10).done
            assert drift(metrics) == {}
            await batcher.submit(["and the last one"], 10).done
        del older, batcher
        await until(lambda: gone() is None)
        texts = await scrape(client)
    counted = re.findall(r"^sluice_predictions_total\{.*0123456789ab.*\} (\S+)$", texts, re.MULTILINE)
    assert sum(map(float, counted)) == FEWEST_TEXTS + 2


@pytest.mark.anyio
async def test_texts_without_an_answer_do_not_count() -> None:
    metrics = Metrics()
    answered = metrics.for_model("m", FakeClassifier())
    rows = np.array([SURE])
    for failing in ([0], [0, 1]):
        job = Job(["a", "b"], 1.0, asyncio.get_running_loop())
        job.note_tokens([0, 1], [LONG, SHORT])
        for index in (0, 1):
            if index in failing:
                job.settle_error(index, ComputeError())
            else:
                job.settle([index], Scores(rows, rows))
        answered.observe_job(job)
    assert value(rendered(metrics), 'sluice_text_tokens_count{model="m"}') == 1
    assert value(rendered(metrics), 'sluice_text_tokens_sum{model="m"}') == 3


def test_a_model_that_gives_no_label_says_so() -> None:
    class Shy(FakeClassifier):
        def profile(self, batch, rows):  # type: ignore[no-untyped-def]
            profile = super().profile(batch, rows)
            return dataclasses.replace(profile, counts={**profile.counts, "label": np.array([0.0, 0.0, len(batch)])})

    metrics = Metrics()
    answers = metrics.answers.of("m", Shy())
    answers.note([SHORT] * 3, np.array([SURE] * 3))
    assert value(rendered(metrics), 'sluice_texts_unlabelled_total{model="m",version="0123456789ab"}') == 3


def test_answers_that_nobody_holds_are_forgotten() -> None:
    metrics = Metrics()
    answers: Answers | None = metrics.answers.of("m", with_reference())
    assert answers is not None
    answers.note([SHORT], np.array([SURE]))
    answers = None
    assert value(rendered(metrics), 'sluice_text_tokens_count{model="m"}') == 0


async def scrape(client: AsyncClient) -> str:
    return (await client.get("/metrics")).text


@pytest.mark.anyio
async def test_what_a_request_leaves_behind(classifier: FakeClassifier) -> None:
    async with serve(classifier, max_chars=40) as client:
        # Rates see the first event: these series are there before it.
        before = await scrape(client)
        for name in (
            'sluice_texts_dropped_total{cause="overload",model="sentiment"}',
            'sluice_texts_failed_total{model="sentiment",type="compute_error"}',
            'sluice_http_requests_total{method="POST",route="/predict",status="503"}',
            'sluice_predictions_total{label="positive",model="sentiment",version="0123456789ab"}',
            'sluice_stage_seconds_count{model="sentiment",stage="respond"}',
            "sluice_worker_restarts_total",
        ):
            assert value(before, name) == 0, name
        await client.post("/predict", json={"inputs": ["two words", "one", "one", POISON, "x" * 50]})
        after = await scrape(client)
    texts = {
        label: value(after, f'sluice_predictions_total{{label="{label}",model="sentiment",version="0123456789ab"}}')
        for label in classifier.labels
    }
    assert sum(filter(None, texts.values())) == 3  # equal ones each
    assert value(after, 'sluice_confidence_count{model="sentiment"}') == 3
    assert value(after, 'sluice_text_tokens_sum{model="sentiment"}') == 4
    for stage in ("read", "wait", "tokenise", "queue", "compute", "respond"):
        assert value(after, f'sluice_stage_seconds_count{{model="sentiment",stage="{stage}"}}') == 1, stage
    stages = re.findall(r"^sluice_stage_seconds_sum\{.*\} (\S+)$", after, re.MULTILINE)
    whole = value(after, 'sluice_http_request_seconds_sum{route="/predict"}')
    assert sum(map(float, stages)) == pytest.approx(whole, rel=1e-6)
    assert value(after, "sluice_deadline_seconds") == 10
    assert value(after, "sluice_queue_texts_limit") == 4096
