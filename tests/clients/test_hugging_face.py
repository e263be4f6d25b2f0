"""`huggingface_hub` and huggingface.js against `POST /`."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.clients.conftest import FETCHED

TEXT = "a good and charming film"


def scores(address: str) -> dict[str, float]:
    (entry,) = httpx2.post(f"{address}/predict", json={"inputs": TEXT}).json()["predictions"]
    return {score["label"]: score["score"] for score in entry["scores"]}


@pytest.fixture
def client() -> InferenceClient:
    return InferenceClient(token="unused", timeout=30)


@pytest.mark.parametrize("path", ["", "/", "/invocations"])
def test_text_classification(address: str, client: InferenceClient, path: str) -> None:
    answer = client.text_classification(TEXT, model=address + path)
    assert {element.label: element.score for element in answer} == pytest.approx(scores(address), abs=2e-6)
    assert [element.score for element in answer] == sorted((element.score for element in answer), reverse=True)


def test_parameters(address: str, client: InferenceClient) -> None:
    (best,) = client.text_classification(TEXT, model=address, top_k=1, function_to_apply="softmax")
    assert best.score == pytest.approx(max(scores(address).values()), abs=2e-6)


def test_function_to_apply(address: str, client: InferenceClient) -> None:
    raw = {e.label: e.score for e in client.text_classification(TEXT, model=address, function_to_apply="none")}
    total = sum(math.exp(score) for score in raw.values())
    softmax = {label: math.exp(score) / total for label, score in raw.items()}
    assert softmax == pytest.approx(scores(address), abs=1e-5)
    for element in client.text_classification(TEXT, model=address, function_to_apply="sigmoid"):
        assert element.score == pytest.approx(1 / (1 + math.exp(-raw[element.label])), abs=1e-5)


def test_its_error_shows_ours(address: str, client: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError, match="Expected `int` >= 1"):
        client.text_classification(TEXT, model=address, top_k=0)


SCRIPT = """
import { textClassification } from "@huggingface/inference";
const answer = await textClassification({ endpointUrl: process.argv[2], inputs: process.argv[3] });
console.log(JSON.stringify(answer));
"""


def test_hugging_face_js(address: str, tmp_path: Path) -> None:
    node, modules = shutil.which("node"), FETCHED / "node_modules"
    if node is None or not (modules / "@huggingface" / "inference").is_dir():
        pytest.skip("no Node or no @huggingface/inference here: `make clients`")
    (tmp_path / "node_modules").symlink_to(modules)
    script = tmp_path / "classify.mjs"
    script.write_text(SCRIPT)
    run = subprocess.run([node, str(script), address, TEXT], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    answer = {element["label"]: element["score"] for element in json.loads(run.stdout)}
    assert answer == pytest.approx(scores(address), abs=2e-6)
