import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from app.api.predict import PredictForm
from app.api.schemas import Limits
from app.core.shared import SharedFolder
from model.errors import ConfigError
from tests.app.conftest import FATAL, FakeClassifier, make_app, make_settings, running, serve, service_of, until

pytestmark = pytest.mark.anyio


class SlowClassifier(FakeClassifier):
    def __init__(self) -> None:
        super().__init__()
        self.may_finish = threading.Event()

    def warm_up(self) -> None:
        self.may_finish.wait(10)
        super().warm_up()


async def test_ready_only_once_warm_but_live_at_once() -> None:
    classifier = SlowClassifier()
    app = make_app(make_settings(), {"sentiment": classifier})
    async with running(app) as client:
        live, ready, predict = await asyncio.gather(
            client.get("/health/live"),
            client.get("/health/ready"),
            client.post("/predict", json={"inputs": "a"}),
        )
        listed = await client.get("/models")
        classifier.may_finish.set()
        await until(lambda: service_of(app).registry.ready)
        later = await client.get("/health/ready")
        metrics = (await client.get("/metrics")).text
    assert (live.status_code, live.json()) == (200, {"status": "live", "models": {"sentiment": "loading"}})
    assert ready.status_code == predict.status_code == 503
    assert ready.json()["detail"] == "The server is not ready: sentiment is loading."
    assert ready.headers["retry-after"] == predict.headers["retry-after"] == "1"
    assert listed.json() == {"default": "sentiment", "models": []}
    assert (later.status_code, later.json()) == (200, {"status": "ready", "models": {"sentiment": "running"}})
    assert "sluice_ready 1.0" in metrics


async def test_a_worker_that_waits_for_another_one_says_so(tmp_path: Path) -> None:
    loaded = [0, 0]
    app = make_app(make_settings(), {"sentiment": FakeClassifier()}, folder=SharedFolder(tmp_path, loaded, [0, 0], 0))
    async with running(app) as client:
        await until(lambda: loaded == [1, 0])
        ready = await client.get("/health/ready")
        loaded[1] = 1
        later = await client.get("/health/ready")
    assert (ready.status_code, later.status_code) == (503, 200)
    assert ready.json()["detail"] == "The server is not ready: another worker is loading."


async def test_failed_load_is_neither_ready_nor_live() -> None:
    classifier = FakeClassifier()
    classifier.warm_up = lambda: (_ for _ in ()).throw(ConfigError("no such device"))  # type: ignore[method-assign]
    app = make_app(make_settings(), {"sentiment": classifier})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.failure is not None)
        assert (await client.get("/health/live")).status_code == 503
        assert (await client.get("/health")).status_code == 503
    assert str(service_of(app).registry.failure) == "no such device"


async def test_model_whose_texts_do_not_fit_a_batch_is_not_served(classifier: FakeClassifier) -> None:
    app = make_app(make_settings(max_batch_tokens=15), {"sentiment": classifier})
    async with running(app):
        await until(lambda: service_of(app).registry.failure is not None)
    assert "--max-batch-tokens is 15" in str(service_of(app).registry.failure)


async def test_health_does_not_queue_behind_the_device(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": "a"}))
        await until(classifier.entered.is_set)
        for path in ("/health/live", "/health/ready", "/health", "/models", "/metrics"):
            assert (await asyncio.wait_for(client.get(path), 1)).status_code == 200
        classifier.gate.set()
        await held


async def test_readiness_tells_of_a_dead_device_thread(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        service_of(client).registry.get(None).batcher.thread.restart_delay_s = 1.0
        failed = await client.post("/predict", json={"inputs": FATAL})
        ready, live = await client.get("/health/ready"), await client.get("/health/live")
        await until(lambda: service_of(client).registry.ready)
        again = await client.get("/health/ready")
        answered = await client.post("/predict", json={"inputs": "fine"})
        metrics = (await client.get("/metrics")).text
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "1")
    assert (ready.status_code, live.status_code, again.status_code, answered.status_code) == (503, 200, 200, 200)
    assert 'sluice_restarts_total{model="sentiment"} 1.0' in metrics
    assert 'sluice_texts_dropped_total{cause="failure",model="sentiment"} 1.0' in metrics


async def test_broken_for_good_is_not_live(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        service_of(client).registry.get(None).batcher.thread.max_restarts = 0
        await client.post("/predict", json={"inputs": FATAL})
        live = await client.get("/health/live")
        refused = await client.post("/predict", json={"inputs": "a"})
    assert (live.status_code, refused.status_code) == (503, 503)
    assert live.json()["detail"] == "The server is beyond repair: sentiment is broken."


async def test_model_card(classifier: FakeClassifier) -> None:
    async with serve(classifier, deadline_ms=500) as client:
        listed, one = (await client.get("/models")).json(), (await client.get("/models/sentiment")).json()
    assert listed == {"default": "sentiment", "models": [one]}
    (version,) = one.pop("versions")
    assert version.pop("since")
    assert version == {"version": "0123456789ab", "role": "primary", "share": 1.0, "state": "running"}
    assert one == {
        "name": "sentiment",
        "version": "0123456789ab",
        "last_failure": None,
        "task": "single_label",
        "labels": ["negative", "positive"],
        "precisions": [],
        "limits": {
            "max_tokens": 16,
            "max_chars": 2_000_000,
            "max_texts": 1024,
            "max_body_bytes": 16_777_216,
            "deadline_ms": 500,
        },
        "device": "cpu",
        "dtype": "float32",
        "vector_size": 3,
        "state": "running",
        "metrics": {"test": {"accuracy": 0.875}},
    }


async def test_two_models_by_name() -> None:
    first, second = FakeClassifier(), FakeClassifier(("no", "yes"))
    app = make_app(make_settings(), {"first": first, "second": second})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        answers = [
            (await client.post("/predict", json={"inputs": "a", "model": name})).json()
            for name in ("second", "first", None)
        ]
    assert [answer["model"] for answer in answers] == ["second", "first", "first"]
    assert {entry["label"] for entry in answers[0]["predictions"][0]["scores"]} == {"yes", "no"}


async def test_metrics_count_what_happened(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        await client.post("/predict", json={"inputs": ["one", "two words", "w " * 20]})
        await client.get("/nowhere/with/user-text")
        await client.request("FROBNICATE", "/predict")
        text = (await client.get("/metrics")).text
    for line in (
        'sluice_http_requests_total{method="POST",route="/predict",status="200"} 1.0',
        'sluice_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'sluice_http_requests_total{method="other",route="/predict",status="405"} 1.0',
        'sluice_http_request_seconds_count{route="/predict"} 2.0',
        'sluice_texts_total{model="sentiment"} 3.0',
        'sluice_tokens_total{model="sentiment"} 19.0',
        'sluice_texts_truncated_total{model="sentiment"} 1.0',
        'sluice_batch_texts_sum{model="sentiment"} 3.0',
        'sluice_batch_tokens_sum{model="sentiment"} 19.0',
        'sluice_batch_padded_tokens_total{model="sentiment"} 48.0',
        'sluice_stage_seconds_count{model="sentiment",stage="queue"} 1.0',
        'sluice_model_info{device="cpu",dtype="float32",model="sentiment",version="0123456789ab"} 1.0',
        'sluice_queue_tokens{model="sentiment"} 0.0',
    ):
        assert line in text
    assert "user-text" not in text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/models", 405, "method_not_allowed"),
        ("GET", "/models/none", 404, "unknown_model"),
        ("GET", "/docs/assets/none.js", 404, "not_found"),
        ("POST", "/predict/", 404, "not_found"),
    ],
)
async def test_errors_of_routing_are_problems(
    classifier: FakeClassifier, method: str, path: str, status: int, code: str
) -> None:
    async with serve(classifier) as client:
        response = await client.request(method, path)
    assert (response.status_code, response.json()["error_type"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert (status == 405) == ("allow" in response.headers)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b'{"inputs": SECRET}', 400, "invalid_json"),
        (b'{"inputs": {"SECRET": 1}}', 422, "invalid_request"),
        (b'{"inputs": "SECRET", "SECRET text": 1}', 422, "invalid_request"),
        (b'{"inputs": "a", "model": "SECRET"}', 404, "unknown_model"),
        (b'{"inputs": ["SECRET", "SECRET", "SECRET"]}', 413, "too_many_texts"),
        (b'{"inputs": "' + b"SECRET" * 400 + b'"}', 413, "body_too_large"),
    ],
)
async def test_errors_of_a_request_are_problems_without_its_text(
    classifier: FakeClassifier, body: bytes, status: int, code: str
) -> None:
    async with serve(classifier, max_texts=2, max_body_bytes=2048, max_chars=1000) as client:
        response = await client.post("/predict", content=body)
    assert (response.status_code, response.json()["error_type"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert "SECRET" not in response.text


async def test_unforeseen_error_is_a_500_that_hides_its_cause(
    classifier: FakeClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any) -> bytes:
        raise RuntimeError("SECRET")

    monkeypatch.setattr(PredictForm, "render", explode)
    async with serve(classifier) as client:
        response = await client.post("/predict", json={"inputs": "a"})
    assert (response.status_code, response.json()["error_type"]) == (500, "internal_error")
    assert "SECRET" not in response.text
    assert response.headers["x-request-id"]


async def test_page_of_documentation_loads_nothing_from_elsewhere(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        home = await client.get("/")
        page = (await client.get(home.headers["location"])).text
        script = await client.get("/docs/assets/swagger-ui-bundle.js")
    assert "http" not in page.replace("http-equiv", "")
    assert (script.status_code, script.headers["content-type"].split(";")[0]) == (200, "text/javascript")


async def test_draining_server_says_so_and_closes_connections(classifier: FakeClassifier) -> None:
    app = make_app(make_settings(), {"sentiment": classifier})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        service_of(app).registry.draining = True
        ready, answer = await client.get("/health/ready"), await client.post("/predict", json={"inputs": "a"})
    assert ready.json()["detail"] == "The server is not ready: it is shutting down."
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_validation_by_fastapi_answers_like_everything_else(classifier: FakeClassifier) -> None:
    app = make_app(make_settings(), {"sentiment": classifier})

    @app.post("/later")
    async def later(limits: Limits) -> None: ...

    async with running(app) as client:
        responses = [
            await client.post("/later", content=body, headers={"content-type": "application/json"})
            for body in (b'{"max_tokens": "SECRET text"}', b"SECRET", b'["\\ud800", NaN]')
        ]
    assert [response.status_code for response in responses] == [422, 422, 422]
    assert {response.json()["error_type"] for response in responses} == {"invalid_request"}
    assert not [response for response in responses if "SECRET" in response.text]
