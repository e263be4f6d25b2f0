import json
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import app.explain.process
from app.api.endpoint import texts_of
from app.api.huggingface import HubRequest
from app.api.oip_tensors import InferRequest, InferResponse
from app.api.openapi import EXAMPLE_REQUESTS, EXAMPLE_RESPONSES
from app.api.openapi_forms import EXAMPLE_LINES, EXAMPLES
from app.api.schemas import FailedPrediction, Prediction, PredictRequest, PredictResponse
from app.api.stream import LinePrediction, StreamLine
from app.api.vllm import ClassifyRequest, ClassifyResponse
from app.config.sections import SHIPPED_CHECKPOINT
from app.explain.endpoint import ExplainRequest, ExplainResponse
from app.explain.openapi import EXAMPLES as EXPLAIN_EXAMPLES
from app.explain.openapi import FAILED
from app.process.server import Server, listen
from benchmarks.http.schema import run_schemathesis
from model.checkpoint import load_checkpoint
from model.explain.explainer import Explainer
from model.explain.explanation import LabelScore, Unexplained
from tests.app.conftest import FakeClassifier, make_app, make_settings, service_of


def app_with_fake() -> FastAPI:
    return make_app(make_settings(), {"sentiment": FakeClassifier()})


def test_every_route_and_every_error_is_documented() -> None:
    document = app_with_fake().openapi()
    assert list(document["paths"]) == [
        "/predict",
        "/explain",
        "/predict/stream",
        "/",
        "/invocations",
        "/classify",
        "/v1/classify",
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{name}",
        "/v2/models/{name}/ready",
        "/v2/models/{name}/versions/{version}",
        "/v2/models/{name}/versions/{version}/ready",
        "/models",
        "/models/{name}",
        "/health/live",
        "/health/ready",
        "/health",
        "/ping",
        "/metrics",
    ]
    responses = document["paths"]["/predict"]["post"]["responses"]
    assert set(responses) == {"200", "400", "404", "413", "415", "422", "500", "503", "504", "default"}
    assert set(responses["503"]["content"]["application/problem+json"]["examples"]) == {"overloaded", "not_ready"}
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                for media_type, content in response.get("content", {}).items():
                    if media_type == "application/problem+json":
                        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                        assert all(
                            set(example["value"]) == {"type", "title", "status", "detail", "error", "error_type"}
                            for example in content["examples"].values()
                        )
    assert "HTTPValidationError" not in json.dumps(document)


def test_examples_have_the_form_that_the_code_reads_and_writes() -> None:
    for request in EXAMPLE_REQUESTS.values():
        assert msgspec.convert(request["value"], PredictRequest).inputs
    for response in EXAMPLE_RESPONSES.values():
        value: Any = response["value"]
        entries = msgspec.convert(value, PredictResponse).predictions
        assert entries
        for entry in entries:
            kind = FailedPrediction if "error" in entry else Prediction
            assert isinstance(msgspec.convert(entry, kind), kind)


@pytest.mark.parametrize(
    ("form", "request_kind", "response_kind"),
    [
        ("hub", HubRequest, list[list[LabelScore]]),
        ("vllm", ClassifyRequest, ClassifyResponse),
        ("v2", InferRequest, InferResponse),
    ],
)
def test_examples_of_the_other_forms_too(form: str, request_kind: Any, response_kind: Any) -> None:
    request, response = EXAMPLES[form]
    assert msgspec.convert(request, request_kind)
    assert msgspec.to_builtins(msgspec.convert(response, response_kind)) == response


def test_example_lines_are_what_the_stream_reads_and_writes() -> None:
    asked, answered = (text.splitlines() for text in EXAMPLE_LINES)
    with TestClient(app_with_fake()) as client:
        while client.get("/health/ready").status_code != 200:
            pass
        answer = client.post("/predict/stream", content=EXAMPLE_LINES[0].encode())
    first, second = answer.text.splitlines()
    assert msgspec.json.decode(asked[0], type=StreamLine).inputs
    assert msgspec.json.decode(first, type=LinePrediction).line == 1
    assert msgspec.json.decode(answered[0], type=LinePrediction).line == 1
    assert second == answered[1]


def close(found: Any, wanted: Any) -> bool:
    """Whether two JSON values are the same, up to what processors differ by."""
    match wanted:
        case dict():
            return found.keys() == wanted.keys() and all(close(found[key], wanted[key]) for key in wanted)
        case list():
            return len(found) == len(wanted) and all(map(close, found, wanted))
        case float():
            return bool(found == pytest.approx(wanted, abs=1e-3))
        case _:
            return bool(found == wanted)


def test_examples_of_explanations_are_what_the_shipped_checkpoint_says() -> None:
    explainer = Explainer(load_checkpoint(SHIPPED_CHECKPOINT), threads=1)
    for request, answer in EXPLAIN_EXAMPLES.values():
        asked = msgspec.convert(request, ExplainRequest)
        response = msgspec.convert(answer, ExplainResponse)
        found = explainer.explain(texts_of(asked.inputs), asked)
        assert response.version == explainer.version
        assert close(msgspec.to_builtins(found), response.explanations)
    assert msgspec.to_builtins(msgspec.convert(FAILED, Unexplained)) == FAILED


def test_document_carries_the_limits() -> None:
    settings = make_settings(max_texts=3, explain_max_texts=2)
    schemas = make_app(settings, {"sentiment": FakeClassifier()}).openapi()["components"]["schemas"]
    for name, most in (("PredictRequest", 3), ("ExplainRequest", 2)):
        assert schemas[name]["properties"]["inputs"]["anyOf"][1]["maxItems"] == most
    assert schemas["LabelScore"]["properties"]["score"]["maximum"] == 1


def test_schemathesis_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check, generated right and wrong requests, examples, boundary values and sequences of calls."""
    monkeypatch.setattr(app.explain.process, "COMMAND", (sys.executable, "-m", "tests.app.explain.explain_fake"))
    settings = make_settings(port=0, max_texts=64)
    served = make_app(settings, {"sentiment": FakeClassifier()})
    server = Server(served, service_of(served))
    sock = listen(settings.network, settings.connections)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        run = run_schemathesis(url, tmp_path, seed=20, max_examples=25, max_s=20)
    finally:
        server.should_exit = True
        thread.join()
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
