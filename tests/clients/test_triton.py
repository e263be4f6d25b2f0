"""`tritonclient[http]` against `/v2`, binary and JSON."""

from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest

http = pytest.importorskip("tritonclient.http", reason="no tritonclient[http] here")

TEXTS = ["a good and charming film", "", "很好看的电影", "don't miss it!"]


@pytest.fixture
def client(address: str) -> Iterator[Any]:
    with http.InferenceServerClient(address.removeprefix("http://"), network_timeout=30.0) as client:
        yield client


def texts(*, binary: bool, column: bool = False) -> Any:
    values = np.array([text.encode() for text in TEXTS], dtype=object)
    values = values.reshape(-1, 1) if column else values
    tensor = http.InferInput("text", list(values.shape), "BYTES")
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def check(address: str, answer: Any) -> None:
    entries = httpx2.post(f"{address}/predict", json={"inputs": TEXTS}).json()["predictions"]
    assert [label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("label")] == [
        entry["label"] for entry in entries
    ]
    assert answer.as_numpy("score").tolist() == pytest.approx([entry["score"] for entry in entries], abs=2e-6)
    probabilities = answer.as_numpy("probabilities")
    assert probabilities.shape == (len(TEXTS), 2)
    assert probabilities.sum(axis=1).tolist() == pytest.approx([1.0] * len(TEXTS), abs=1e-5)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("column", [True, False], ids=["column", "flat"])
def test_default_outputs(address: str, client: Any, binary: bool, column: bool) -> None:
    check(address, client.infer("tiny", [texts(binary=binary, column=column)]))


@pytest.mark.parametrize("binary_in", [True, False], ids=["binary in", "json in"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary out", "json out"])
def test_requested_outputs_and_id(address: str, client: Any, binary_in: bool, binary_out: bool) -> None:
    names = ("probabilities", "label", "score")
    outputs = [http.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    version = client.get_model_metadata("tiny")["versions"][0]
    answer = client.infer("tiny", [texts(binary=binary_in)], version, outputs, request_id="mine")
    check(address, answer)
    assert answer.get_response()["id"] == "mine"
    assert [output["name"] for output in answer.get_response()["outputs"]] == list(names)


def test_asynchronous(address: str, client: Any) -> None:
    check(address, client.async_infer("tiny", [texts(binary=True)]).get_result())


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "sluice"
    metadata = client.get_model_metadata("tiny")
    assert metadata["outputs"][2]["parameters"]["labels"] == ["negative", "positive"]


def test_errors(client: Any) -> None:
    with pytest.raises(http.InferenceServerException, match="No model has this name") as unknown:
        client.infer("other", [texts(binary=True)])
    assert unknown.value.status() == "404"
    with pytest.raises(http.InferenceServerException, match="The outputs are `label`, `score`") as wrong:
        client.infer("tiny", [texts(binary=True)], outputs=[http.InferRequestedOutput("logits")])
    assert wrong.value.status() == "400"


def test_configuration_statistics_and_index(address: str, client: Any) -> None:
    version = client.get_model_metadata("tiny")["versions"][0]
    config = client.get_model_config("tiny")
    assert (config["name"], config["max_batch_size"], config["input"][0]["data_type"]) == ("tiny", 0, "TYPE_STRING")
    assert client.get_model_config("tiny", version) == config
    before = client.get_inference_statistics("tiny")["model_stats"][0]
    client.infer("tiny", [texts(binary=True)])
    (after,) = client.get_inference_statistics()["model_stats"]
    assert after["inference_count"] - before["inference_count"] == len(TEXTS)
    assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 1
    assert after["inference_stats"]["success"]["ns"] > before["inference_stats"]["success"]["ns"]
    assert client.get_inference_statistics("tiny", version)["model_stats"][0]["version"] == version
    index = client.get_model_repository_index()
    assert index == [{"name": "tiny", "version": version, "state": "READY", "reason": ""}]
    with pytest.raises(Exception, match="No model has this name"):
        client.get_model_config("none")
