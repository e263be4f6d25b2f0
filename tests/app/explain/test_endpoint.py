"""`POST /explain` through the application, with a process of its own whose explainer is a fake."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import app.explain.process
import model.availability
from app.auth.keys import new_key
from app.core.errors import SPLIT
from app.explain.queue import Explanations
from app.explain.worker import NICENESS
from tests.app.conftest import FakeClassifier, app_of, make_app, make_settings, running, serve, service_of, until
from tests.app.explain.explain_fake import VERSION

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def fake_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.explain.process, "COMMAND", (sys.executable, "-m", "tests.app.explain.explain_fake"))


def explanations_of(client: httpx2.AsyncClient) -> Explanations:
    found = service_of(client).explanations
    assert isinstance(found, Explanations)
    return found


def pid_of(client: httpx2.AsyncClient) -> int:
    pid = explanations_of(client).process.pid
    assert pid is not None
    return pid


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def system_knows(pid: int) -> tuple[str, list[str]]:
    """Reads the out-of-memory score and the open files of a process."""
    folder = Path(f"/proc/{pid}")
    files = [str(link.readlink()) for link in (folder / "fd").iterdir()]
    return (folder / "oom_score_adj").read_text().strip(), files


async def explain(client: httpx2.AsyncClient, inputs: object, **fields: object) -> httpx2.Response:
    return await client.post("/explain", json={"inputs": inputs, **fields}, timeout=30)


async def metric(client: httpx2.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if line.startswith(name)]
    return float(value)


@asynccontextmanager
async def explaining(**settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server whose process runs already."""
    async with serve(FakeClassifier(), **settings) as client:
        while (await explain(client, "")).status_code == 504:
            pass
        yield client


async def test_one_entry_a_text_and_only_what_was_asked_for(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await explain(client, "not good")
        bare = (await explain(client, ["not good"], occlusion=False, sentences=False)).json()["explanations"][0]
        gates = (await explain(client, "not good", units=[3])).json()["explanations"][0]
        labelled = (await explain(client, "a", model="sentiment", label="negative", gates=True)).json()
        nothing = (await explain(client, [])).json()
    assert response.headers["x-model-version"] == VERSION
    assert response.headers["x-request-id"]
    assert response.json() == {
        "model": "sentiment",
        "version": VERSION,
        "explanations": [
            {
                "label": "positive",
                "score": 0.75,
                "scores": [{"label": "positive", "score": 0.75}, {"label": "negative", "score": 0.25}],
                "tokens": 2,
                "truncated": False,
                "attribution": {
                    "value": 1.0,
                    "baseline": 0.5,
                    "gap": 0.0,
                    "steps": 32,
                    "tokens": [
                        {"text": "not", "start": 0, "end": 3, "score": 0.0, "occlusion": 1.0},
                        {"text": "good", "start": 0, "end": 4, "score": 0.5, "occlusion": 1.0},
                    ],
                    "words": [
                        {"text": "not", "start": 0, "end": 3, "score": 0.0, "occlusion": 1.0},
                        {"text": "good", "start": 0, "end": 4, "score": 0.5, "occlusion": 1.0},
                    ],
                },
                "sentences": [{"text": "not good", "start": 0, "end": 8, "label": "positive", "score": 0.75}],
            }
        ],
    }
    assert "sentences" not in bare
    assert "occlusion" not in bare["attribution"]["tokens"][0]
    assert gates["gates"] == [{"layer": 0, "direction": "forward", "mean": {"forget": [0.5, 0.5]}}]  # units imply them
    assert labelled["explanations"][0]["label"] == "negative"
    assert nothing["explanations"] == []


@pytest.mark.parametrize(
    ("body", "status", "error_type", "detail"),
    [
        (b'{"inputs": 3}', 422, "invalid_request", "Expected `str | array`, got `int` - at `$.inputs`."),
        (b'{"inputs": "a", "label": "CANARY"}', 422, "invalid_request", "The model has no such label; "),
        (b'{"inputs": "a", "units": [4]}', 422, "invalid_request", "A unit is from 0 to 3."),
        (b'{"inputs": "a", "units": [-1]}', 422, "invalid_request", "Expected `int` >= 0 - at `$.units[0]`."),
        (b'{"inputs": "a", "units": [1,1,1,1,1,1,1,1,1]}', 422, "invalid_request", "Expected `array` of length <= 8"),
        (b'{"inputs": "a", "gates": "yes"}', 422, "invalid_request", "Expected `bool`, got `str` - at `$.gates`."),
        (b'{"inputs": "a", "CANARY": 1}', 422, "invalid_request", "Object contains unknown field"),
        (b'{"inputs": "a", "model": "CANARY"}', 404, "unknown_model", "No model has this name; "),
        (
            b'{"inputs": ["a", "b", "c"]}',
            413,
            "too_many_texts",
            "The request has 3 texts; the limit is 2. Split the request.",
        ),
        (b'{"inputs"', 400, "invalid_json", "The JSON ends too early (byte 9)."),
        (b'{"inputs": "' + b"a" * 2000 + b'"}', 413, "body_too_large", f"The body is larger than 1024 bytes. {SPLIT}"),
    ],
)
async def test_every_error_is_a_problem(
    classifier: FakeClassifier, body: bytes, status: int, error_type: str, detail: str
) -> None:
    async with serve(classifier, explain_max_texts=2, max_body_bytes=1024, max_chars=100) as client:
        response = await client.post("/explain", content=body)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.status_code == response.json()["status"] == status
    assert response.json()["error_type"] == error_type
    assert response.json()["detail"].startswith(detail)
    if b"CANARY" in body and b'"CANARY":' not in body:
        assert "CANARY" not in response.text


async def test_a_text_that_cannot_be_explained_has_an_error_in_its_place(
    classifier: FakeClassifier, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = ["poison CANARY", "a b c d", "a b c d e", "b" * 30, "fine"]
    async with serve(classifier, explain_max_tokens=4, max_chars=29) as client:
        response = await explain(client, texts)
        failures = {type_: await metric(client, f'sluice_texts_failed_total{{model="sentiment",type="{type_}"}}')
                    for type_ in ("compute_error", "text_too_long")}  # fmt: skip
    entries = response.json()["explanations"]
    assert response.status_code == 200
    assert [entry.get("error", {}).get("type") for entry in entries] == [
        "compute_error",
        None,
        "text_too_long",
        "text_too_long",
        None,
    ]
    assert entries[2]["error"]["detail"] == "The text has 5 tokens; one of more than 4 is not explained."
    assert entries[3]["error"]["detail"] == "The text has 30 characters; the limit is 29."
    assert failures == {"compute_error": 1, "text_too_long": 2}
    log = capfd.readouterr().out
    assert "CANARY" not in log + response.text
    (line,) = [json.loads(line) for line in log.splitlines() if "a text failed alone" in line]
    assert (line["exception"], line["stage"]) == ("RuntimeError", "explain")


@pytest.mark.parametrize("installed", [True, False])
async def test_switched_off_or_without_pytorch_it_is_not_there(
    classifier: FakeClassifier, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(model.availability, "find_spec", lambda _name: installed or None)
    async with serve(classifier, no_explain=installed) as client:
        response = await explain(client, "a")
        document = (await client.get("/openapi.json")).json()
    assert response.status_code == 404
    assert response.json()["error_type"] == "not_found"
    assert "/explain" not in document["paths"]
    assert not {"ExplainRequest", "Explanation"} & document["components"]["schemas"].keys()


async def test_a_key_is_asked_for_and_pays_for_each_text() -> None:
    secret, key = new_key("search", [])
    app = make_app(make_settings(api_keys=key.line()), {"sentiment": FakeClassifier()})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        stranger = await explain(client, "a")
        client.headers["x-api-key"] = secret
        known = await explain(client, ["a", "b"])
        document = (await client.get("/openapi.json")).json()
        (account,) = service_of(app).metrics.requests.key_texts.labels("search").read()
    assert (stranger.status_code, known.status_code) == (401, 200)
    assert account == 2
    assert document["paths"]["/explain"]["post"]["security"] == [{"bearer": []}, {"header": []}]


async def test_metrics_count_what_was_explained() -> None:
    async with explaining() as client:
        await explain(client, ["a", "b"])
        assert await metric(client, 'sluice_explain_seconds_count{model="sentiment"}') == 3
        assert await metric(client, "sluice_explain_queue_texts") == 0
        route = 'sluice_http_requests_total{method="POST",route="/explain",status="200"}'
        assert await metric(client, route) == 2
        assert await metric(client, 'sluice_texts_total{model="sentiment"}') == 0  # none of it is predicting


async def test_without_a_forked_process_a_program_begins_with_the_first_request() -> None:
    async with serve(FakeClassifier()) as client:
        assert explanations_of(client).process.pid is None
        await explain(client, "a")
        first = pid_of(client)
        await explain(client, "a")
        assert pid_of(client) == first


async def test_process_has_a_low_priority_and_no_file_of_the_server() -> None:
    async with explaining() as client:
        pid = pid_of(client)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        assert os.sched_getscheduler(pid) == os.SCHED_BATCH
        assert os.getsid(pid) == pid  # the system would else count what it uses as the server's session's
        oom_score, files = system_knows(pid)
    assert oom_score == "1000"
    assert len({file for file in files if file.startswith("socket:")}) == 1


async def test_killed_process_fails_its_waiters_and_is_replaced() -> None:
    async with explaining() as client:
        victim = pid_of(client)
        waiting = [asyncio.create_task(explain(client, text)) for text in ("endless", "a", "b")]
        await until(lambda: explanations_of(client).admission.texts == 3)
        os.kill(victim, signal.SIGKILL)
        answers = [await task for task in waiting]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert {answer.json()["error_type"] for answer in answers} == {"not_ready"}
        assert {answer.headers["retry-after"] for answer in answers} == {"2"}
        assert (await explain(client, "a")).status_code == 200
        assert pid_of(client) != victim
        assert await metric(client, "sluice_explain_restarts_total") == 1
        assert explanations_of(client).admission.texts == 0


async def test_a_text_that_kills_the_process_costs_the_rest_of_its_request_only() -> None:
    async with explaining() as client:
        assert (await explain(client, ["a", "fatal", "b"])).status_code == 503
        assert (await explain(client, ["a", "b"])).status_code == 200


async def test_a_process_that_hangs_is_replaced() -> None:
    async with explaining(stuck_after_s=0.3) as client:
        victim = pid_of(client)
        assert (await explain(client, "endless")).status_code == 503
        assert not runs(victim)
        assert (await explain(client, "a")).status_code == 200


async def test_a_process_that_cannot_begin_is_503_and_not_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.explain.process, "COMMAND", ("false",))
    async with serve(FakeClassifier()) as client:
        assert (await explain(client, "a")).status_code == 503
        assert await metric(client, "sluice_explain_restarts_total") == 1
        assert (await client.get("/health/ready")).status_code == 200
        monkeypatch.setattr(app.explain.process, "COMMAND", ("/nonexistent",))
        assert (await explain(client, "a")).status_code == 503


async def test_full_queue_is_503_and_says_when_to_come_back() -> None:
    async with explaining(explain_max_texts=2, explain_queue_texts=2) as client:
        await explain(client, "slow")  # so that it is known how long one takes
        held = asyncio.create_task(explain(client, ["slow", "slow"]))
        await until(lambda: explanations_of(client).admission.texts == 2)
        refused = await explain(client, "a")
        assert (await held).status_code == 200
        assert (await explain(client, "a")).status_code == 200
    assert refused.status_code == 503
    assert refused.json()["error_type"] == "overloaded"
    assert 1 <= int(refused.headers["retry-after"]) <= 10


async def test_the_queue_is_bounded_in_tokens_too() -> None:
    async with explaining(explain_max_texts=2, explain_queue_texts=2) as client:
        held = asyncio.create_task(explain(client, "slow " + "a" * 200))
        await until(lambda: explanations_of(client).admission.texts == 1)
        refused = await explain(client, "b" * 200)  # 405 of 256
        assert (await held).status_code == 200
    assert (refused.status_code, refused.json()["error_type"]) == (503, "overloaded")


async def test_deadline_is_the_servers_or_the_callers() -> None:
    async with explaining(explain_deadline_ms=200) as client:
        late = await explain(client, "slow")
        assert late.status_code == 504
        assert late.json()["detail"] == "The answer was not ready within 200 ms."
        headers = {"x-request-timeout-ms": "50"}
        later = await client.post("/explain", json={"inputs": "slow"}, headers=headers)
        assert later.json()["detail"] == "The answer was not ready within 50 ms."
        wrong = await client.post("/explain", json={"inputs": "a"}, headers={"x-request-timeout-ms": "soon"})
        assert wrong.status_code == 422
        await until(lambda: explanations_of(client).admission.texts == 0)


async def test_who_leaves_takes_what_was_not_begun_along() -> None:
    async with explaining() as client:
        explained = 'sluice_explain_seconds_count{model="sentiment"}'
        app = app_of(client)
        sent = asyncio.Event()
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/explain",
            "query_string": b"",
            "root_path": "",
            "headers": [],
            "client": None,
        }
        messages = [{"type": "http.request", "body": b'{"inputs": ["slow", "a", "b"]}'}]
        answers: list[Any] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await sent.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answers.append(message)

        request = asyncio.create_task(app(scope, receive, send))
        await until(lambda: explanations_of(client).admission.texts == 3)
        await asyncio.sleep(0.1)
        sent.set()
        await request
        assert answers[0]["status"] == 499
        assert explanations_of(client).admission.texts == 0
        assert (await explain(client, "c")).status_code == 200
        assert await metric(client, explained) == 3  # the first, what was in its hands, and the last


async def test_requests_take_turns_text_by_text() -> None:
    async with explaining() as client:
        order: list[str] = []

        async def ask(inputs: list[str], name: str) -> None:
            assert (await explain(client, inputs)).status_code == 200
            order.append(name)

        long = asyncio.create_task(ask(["slow"] * 4, "long"))
        await until(lambda: explanations_of(client).admission.texts == 4)
        await asyncio.gather(ask(["a"], "short"), long)
    assert order == ["short", "long"]


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("damaged", "This version of the model cannot be explained: damaged: is damaged."),
        ("unforeseen", "This version of the model cannot be explained: it could not be loaded (RuntimeError); "),
    ],
)
async def test_a_model_that_cannot_be_opened_is_503_and_the_others_are_explained(name: str, detail: str) -> None:
    app = make_app(make_settings(), {"sentiment": FakeClassifier(), name: FakeClassifier()})
    async with running(app) as client:
        await until(lambda: service_of(app).registry.ready)
        refused = await explain(client, "a", model=name)
        # The same version by another name comes from another folder.
        answered = await explain(client, "a", model="sentiment")
    assert refused.status_code == 503
    assert refused.json()["detail"].startswith(detail)
    assert answered.status_code == 200


async def test_another_version_in_the_folder_is_not_passed_off_as_the_one_served() -> None:
    class Other(FakeClassifier):
        version = "ba9876543210"

    async with serve(Other()) as client:
        response = await explain(client, "a")
    assert response.status_code == 503
    assert "its folder holds another one by now" in response.json()["detail"]


async def test_shutdown_leaves_no_process_and_fails_who_waits() -> None:
    async with explaining() as client:
        pid = pid_of(client)
        waiting = asyncio.create_task(explain(client, "endless"))
        await until(lambda: explanations_of(client).admission.texts == 1)
        await asyncio.sleep(0.1)
    assert not runs(pid)
    assert (await waiting).status_code == 503
