import numpy as np
import pytest

from model.config import Task
from model.probabilities import probabilities
from tests.app.conftest import FakeClassifier, serve

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/classify", "/v1/classify"])
async def test_has_vllms_shape(path: str) -> None:
    classifier = FakeClassifier(("negative", "positive", "other"))
    p = classifier.positive("two words")
    extra = {"truncate_prompt_tokens": -1, "user": "me", "priority": 0, "use_activation": True, "request_id": "r"}
    body = {"model": "sentiment", "input": ["two words", "", "two words"], **extra}
    async with serve(classifier) as client:
        answer = (await client.post(path, json=body)).json()
    assert answer.pop("id").startswith("classify-")
    assert answer.pop("created") > 1_700_000_000
    probs = [round(1 - p, 6), p, round(p / 2, 6)]
    first = {"label": "negative" if p < 0.5 else "positive", "probs": pytest.approx(probs, abs=2e-6), "num_classes": 3}
    empty = {"label": "negative", "probs": [0.75, 0.25, 0.125], "num_classes": 3}
    assert answer == {
        "object": "list",
        "model": "sentiment",
        "data": [{"index": 0, **first}, {"index": 1, **empty}, {"index": 2, **first}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4, "completion_tokens": 0},
    }


async def test_one_text(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        answer = (await client.post("/classify", json={"input": "one"})).json()
    assert [entry["index"] for entry in answer["data"]] == [0]


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
async def test_without_activation_logits_are_the_answer(task: Task) -> None:
    classifier = FakeClassifier(task=task)
    async with serve(classifier) as client:
        (plain,) = (await client.post("/classify", json={"input": "two words"})).json()["data"]
        raw = await client.post("/classify", json={"input": "two words", "use_activation": False})
    (entry,) = raw.json()["data"]
    assert (entry["label"], entry["num_classes"]) == (plain["label"], 2)
    assert entry["probs"] != pytest.approx(plain["probs"], abs=0.01)
    made = probabilities(np.array(entry["probs"]), task=task)
    assert made.tolist() == pytest.approx(plain["probs"], abs=2e-6)


@pytest.mark.parametrize(
    ("body", "status", "error_type"),
    [
        ({"input": [1, 2]}, 422, "invalid_request"),
        ({"messages": []}, 422, "invalid_request"),
        ({"input": "a", "use_activation": "no"}, 422, "invalid_request"),
        ({"input": "a", "model": "other"}, 404, "unknown_model"),
        ({"input": ["a", "x" * 101]}, 413, "text_too_long"),
    ],
)
async def test_errors(classifier: FakeClassifier, body: dict[str, object], status: int, error_type: str) -> None:
    async with serve(classifier, max_chars=100) as client:
        response = await client.post("/v1/classify", json=body)
    assert (response.status_code, response.json()["error_type"]) == (status, error_type)
