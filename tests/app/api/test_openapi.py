import json
import re
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import app.explain.process
from app.api.embeddings import EmbeddingsRequest, EmbeddingsResponse, EmbedRequest
from app.api.endpoint import texts_of
from app.api.huggingface import HubRequest
from app.api.ndjson import LinePrediction, StreamLine
from app.api.oip_tensors import InferRequest, InferResponse
from app.api.openapi import EXAMPLES as WIRE_EXAMPLES
from app.api.schemas import FailedPrediction, Prediction, PredictRequest, PredictResponse
from app.api.vllm import ClassifyRequest, ClassifyResponse
from app.config.sections import SHIPPED_CHECKPOINT
from app.explain.endpoint import EXAMPLES, ExplainRequest, ExplainResponse
from app.process.listening import listen
from app.process.server import Server
from benchmarks.http.schema import run_schemathesis
from model.checkpoint import load_checkpoint
from model.explain.explainer import Explainer
from model.explain.explanation import LabelScore, Unexplained
from tests.app.conftest import FakeClassifier, made, make_app, make_settings, service_of

HEADERS, KEY = made("operator", roles="predict,metrics,admin")


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
        "/embed",
        "/v1/embeddings",
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer",
        "/v2/models/stats",
        "/v2/models/{name}/config",
        "/v2/models/{name}/versions/{version}/config",
        "/v2/models/{name}/stats",
        "/v2/models/{name}/versions/{version}/stats",
        "/v2/repository/index",
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
    index = document["paths"]["/v2/repository/index"]["post"]["responses"]
    assert set(index) == {"200", "400", "413", "415", "default"}
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
    named = set(re.findall(r'"\$ref": "(.*?)"', json.dumps(document)))
    assert named <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_undocumented_method_is_refused() -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    settings = make_settings(api_keys=KEY, admin=True)
    application = make_app(settings, {"sentiment": FakeClassifier()})
    with TestClient(application, headers=HEADERS) as client:
        for path, operations in application.openapi()["paths"].items():
            documented = {method.upper() for method in operations}
            for method in methods - documented:
                response = client.request(method, path.format(name="sentiment", version="0"))
                assert response.status_code == 405, (method, path)
                readable = {"HEAD"} if "GET" in documented else set()
                assert set(response.headers["allow"].split(", ")) == documented | readable


def test_home_page_is_documented_as_it_answers() -> None:
    application = app_with_fake()
    documented = application.openapi()["paths"]["/"]["get"]["responses"]
    with TestClient(application, follow_redirects=False) as client:
        for accept, status in (("text/html", "200"), ("*/*", "307")):
            response = client.get("/", headers={"accept": accept})
            assert str(response.status_code) == status
            assert response.headers.get("content-type", "").split(";")[0] in {
                "",
                *documented[status].get("content", ()),
            }


FORMS: list[tuple[str, Any, Any]] = [
    ("/predict", PredictRequest, PredictResponse),
    ("/", HubRequest, list[list[LabelScore]]),
    ("/invocations", HubRequest, list[list[LabelScore]]),
    ("/classify", ClassifyRequest, ClassifyResponse),
    ("/v1/classify", ClassifyRequest, ClassifyResponse),
    ("/embed", EmbedRequest, list[list[float]]),
    ("/v1/embeddings", EmbeddingsRequest, EmbeddingsResponse),
    ("/v2/models/{name}/infer", InferRequest, InferResponse),
    ("/v2/models/{name}/versions/{version}/infer", InferRequest, InferResponse),
]


@pytest.mark.parametrize(("path", "request_kind", "response_kind"), FORMS, ids=[path for path, _, _ in FORMS])
def test_examples_have_the_form_that_the_code_reads_and_writes(
    path: str, request_kind: Any, response_kind: Any
) -> None:
    operation = app_with_fake().openapi()["paths"][path]["post"]
    requests = operation["requestBody"]["content"]["application/json"]["examples"]
    answers = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert requests
    assert answers
    for request in requests.values():
        assert msgspec.convert(request["value"], request_kind)
    for answer in answers.values():
        value: Any = answer["value"]
        assert msgspec.to_builtins(msgspec.convert(value, response_kind)) == value
        for entry in value.get("predictions", ()) if isinstance(value, dict) else ():
            kind = FailedPrediction if "error" in entry else Prediction
            assert isinstance(msgspec.convert(entry, kind), kind)


def test_example_lines_are_what_the_stream_reads_and_writes() -> None:
    asked, answered = (WIRE_EXAMPLES["stream"]["one"][side].splitlines() for side in ("request", "answer"))
    with TestClient(app_with_fake()) as client:
        while client.get("/health/ready").status_code != 200:
            pass
        answer = client.post("/predict/stream", content=WIRE_EXAMPLES["stream"]["one"]["request"].encode())
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
    for name in ("one", "gates"):
        asked = msgspec.convert(EXAMPLES[name]["request"], ExplainRequest)
        response = msgspec.convert(EXAMPLES[name]["answer"], ExplainResponse)
        found = explainer.explain(texts_of(asked.inputs), asked)
        assert response.version == explainer.version
        assert close(msgspec.to_builtins(found), response.explanations)
    (failed,) = EXAMPLES["failed"]["answer"]["explanations"]
    assert msgspec.to_builtins(msgspec.convert(failed, Unexplained)) == failed


def test_document_carries_the_limits() -> None:
    settings = make_settings(max_texts=3, explain_max_texts=2)
    schemas = make_app(settings, {"sentiment": FakeClassifier()}).openapi()["components"]["schemas"]
    for name, field, most in (
        ("PredictRequest", "inputs", 3),
        ("HubRequest", "inputs", 3),
        ("ClassifyRequest", "input", 3),
        ("EmbedRequest", "inputs", 3),
        ("EmbeddingsRequest", "input", 3),
        ("ExplainRequest", "inputs", 2),
    ):
        assert schemas[name]["properties"][field]["anyOf"][1]["maxItems"] == most
    assert schemas["LabelScore"]["properties"]["score"]["maximum"] == 1


def test_schemathesis_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check, generated right and wrong requests, examples, boundary values and sequences of calls."""
    monkeypatch.setattr(app.explain.process, "COMMAND", (sys.executable, "-m", "tests.app.explain.explain_fake"))
    settings = make_settings(port=0, max_texts=64)
    served = make_app(settings, {"sentiment": FakeClassifier()})
    sock = listen(settings.network, settings.connections)
    server = Server(served, service_of(served), sock)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        run = run_schemathesis(url, tmp_path, seed=20, max_examples=5, max_s=12)
    finally:
        server.should_exit = True
        thread.join()
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
