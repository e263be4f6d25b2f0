"""A client that a generator makes of `/openapi.json`, and plain HTTP in vLLM's form."""

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.clients.conftest import FETCHED


@pytest.fixture(scope="module")
def generated(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the package `sluice_client`."""
    generator = shutil.which("openapi-python-client", path=FETCHED / "bin")
    if generator is None:
        pytest.skip("no openapi-python-client here: `make clients`")
    pytest.importorskip("attrs")
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yaml").write_text("package_name_override: sluice_client\npost_hooks: []\n")
    command = [generator, "generate", "--url", f"{address}/openapi.json", "--meta", "none", "--config", "config.yaml"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / "sluice_client").is_dir(), run.stdout
    return folder


def test_a_generated_client_predicts(address: str, generated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(generated))
    package: Any = importlib.import_module("sluice_client")
    models: Any = importlib.import_module("sluice_client.models")
    predict: Any = importlib.import_module("sluice_client.api.classification.predict")
    with package.Client(base_url=address) as client:
        request = models.PredictRequest(inputs=["a good film", "难看的电影"], top_k=1)
        answer = predict.sync(client=client, body=request)
        problem = predict.sync(client=client, body=models.PredictRequest(inputs="a", model="other"))
    assert isinstance(answer, models.PredictResponse)
    assert answer.model == "tiny"
    assert [len(entry.scores) for entry in answer.predictions] == [1, 1]
    assert isinstance(problem, models.Problem)
    assert problem.error_type == "unknown_model"


@pytest.mark.parametrize("path", ["/classify", "/v1/classify"])
def test_vllms_form(address: str, path: str) -> None:
    body = {"model": "tiny", "input": ["a good film", "a bad film"], "truncate_prompt_tokens": -1, "priority": 0}
    answer = httpx2.post(address + path, json=body).json()
    assert [sum(entry["probs"]) for entry in answer["data"]] == pytest.approx([1, 1], abs=2e-6)
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] == 6
