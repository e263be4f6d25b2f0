from typing import Any

import pytest

from tests.app.conftest import POISON, FakeClassifier, serve

pytestmark = pytest.mark.anyio

PATHS = pytest.mark.parametrize("path", ["/", "/invocations"])


@PATHS
async def test_one_text_is_a_list_in_a_list(classifier: FakeClassifier, path: str) -> None:
    p = classifier.positive("a fine film")
    async with serve(classifier) as client:
        response = await client.post(path, json={"inputs": "a fine film", "parameters": {}})
    pairs = sorted([(p, "positive"), (round(1 - p, 6), "negative")], reverse=True)
    assert response.status_code == 200
    assert response.json() == [
        [{"label": label, "score": pytest.approx(score, abs=1e-6)} for score, label in pairs],
    ]


@PATHS
async def test_several_texts_top_k_and_options(classifier: FakeClassifier, path: str) -> None:
    body = {"inputs": ["a", "b", "a"], "parameters": {"top_k": 1}, "options": {"wait_for_model": True}}
    async with serve(classifier) as client:
        answer = (await client.post(path, json=body)).json()
        empty = (await client.post(path, json={"inputs": [], "parameters": None})).json()
    assert [len(scores) for scores in answer] == [1, 1, 1]
    assert answer[0] == answer[2]
    assert empty == []
    assert sum(map(len, classifier.batches)) == 2


@pytest.mark.parametrize(
    ("task", "function", "status"),
    [
        ("single_label", "softmax", 200),
        ("single_label", "sigmoid", 422),
        ("single_label", "none", 422),
        ("multi_label", "sigmoid", 200),
        ("multi_label", "softmax", 422),
        ("multi_label", None, 200),
    ],
)
async def test_function_is_the_models_own_or_refused(task: str, function: str | None, status: int) -> None:
    body = {"inputs": "a", "parameters": {"function_to_apply": function}}
    async with serve(FakeClassifier(task=task)) as client:
        response = await client.post("/", json=body)
    assert response.status_code == status
    if status == 422:
        assert response.json()["error"].startswith(f"The model is {task.replace('_', '-')}: its scores are made with ")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 422, "Object missing required field `inputs`."),
        ({"inputs": 3}, 422, "Expected `str | array`, got `int` - at `$.inputs`."),
        ({"inputs": "a", "parameters": {"top_k": 0}}, 422, "Expected `int` >= 1 - at `$.parameters.top_k`."),
        (
            {"inputs": "a", "parameters": {"function_to_apply": "my private text"}},
            422,
            "Not one of the values that it may have - at `$.parameters.function_to_apply`.",
        ),
        ({"inputs": "a", "parameters": {"my private text": 1}}, 422, "There is an unknown field - at `$.parameters`."),
        (
            {"inputs": "a", "my private text": 1},
            422,
            "The request has an unknown field; it may have `inputs`, `parameters` and `options`.",
        ),
        (
            {"inputs": "a", "x - at `$.my private text": 1},
            422,
            "The request has an unknown field; it may have `inputs`, `parameters` and `options`.",
        ),
        ({"inputs": ["a"] * 4}, 413, "The request has 4 texts; the limit is 3."),
        ({"inputs": "x" * 101}, 413, "The text has 101 characters; the limit is 100."),
        (
            {"inputs": ["a", "x" * 101]},
            413,
            "The text has 101 characters; the limit is 100. It is text 1 of the request, counted from 0.",
        ),
        (
            {"inputs": [POISON, "a"]},
            500,
            (
                "This text could not be computed. The server's log has the cause. "
                "It is text 0 of the request, counted from 0."
            ),
        ),
    ],
)
async def test_errors_are_problems(classifier: FakeClassifier, body: Any, status: int, error: str) -> None:
    async with serve(classifier, max_texts=3, max_chars=100) as client:
        response = await client.post("/", json=body)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.headers["content-type"] == "application/problem+json"


async def test_whole_number_written_as_a_float(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await client.post("/", content=b'{"inputs": "a", "parameters": {"top_k": 1.0}}')
    assert len(response.json()[0]) == 1


async def test_ping_and_the_page_stay(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        assert (await client.get("/ping")).status_code == 200
        assert (await client.get("/")).status_code == 307
