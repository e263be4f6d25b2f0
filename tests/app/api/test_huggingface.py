import math
from typing import Any

import pytest

from app.core.errors import SPLIT
from tests.app.conftest import POISON, FakeClassifier, serve

pytestmark = pytest.mark.anyio

KNOWN = "It may have `top_k`, `return_all_scores`, `truncation`, `max_length` and `function_to_apply`."
"""What is said of a parameter that is not known."""

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


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def odds(p: float) -> float:
    return p / (1 - p)


@pytest.mark.parametrize(
    ("task", "function", "expected"),
    [
        ("single_label", None, (0.75, 0.25)),
        ("single_label", "softmax", (0.75, 0.25)),
        ("single_label", "sigmoid", (logistic(math.log(0.75)), logistic(math.log(0.25)))),
        ("single_label", "none", (math.log(0.75), math.log(0.25))),
        ("multi_label", None, (0.75, 0.25)),
        ("multi_label", "sigmoid", (0.75, 0.25)),
        ("multi_label", "softmax", (odds(0.75) / (odds(0.75) + odds(0.25)), odds(0.25) / (odds(0.75) + odds(0.25)))),
        ("multi_label", "none", (math.log(odds(0.75)), math.log(odds(0.25)))),
    ],
)
async def test_a_function_is_applied_to_the_logits(
    task: str, function: str | None, expected: tuple[float, float]
) -> None:
    """An empty text has 0.75 and 0.25; the fake's logits are their logarithms, or log-odds."""
    body = {"inputs": ["", ""], "parameters": {"function_to_apply": function}}
    async with serve(FakeClassifier(task=task), cache_texts=10) as client:
        for _ in range(2):  # computed, then remembered
            response = await client.post("/", json=body)
            first, second = response.json()
            assert first == second
            assert [entry["label"] for entry in first] == ["negative", "positive"]
            assert [entry["score"] for entry in first] == pytest.approx(expected, abs=2e-6)


async def test_a_function_goes_with_the_other_parameters(classifier: FakeClassifier) -> None:
    parameters = {"function_to_apply": "none", "top_k": 1, "truncation": True}
    async with serve(classifier) as client:
        ((best,),) = (await client.post("/", json={"inputs": "", "parameters": parameters})).json()
        schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert best == {"label": "negative", "score": pytest.approx(math.log(0.75), abs=2e-6)}
    assert "maximum" not in schemas["HubScore"]["properties"]["score"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 422, "Object missing required field `inputs`."),
        ({"inputs": 3}, 422, "Expected `str | array`, got `int` - at `$.inputs`."),
        ({"inputs": "a", "parameters": {"top_k": 0}}, 422, "Expected `int` >= 1 - at `$.parameters.top_k`."),
        (
            {"inputs": "a", "parameters": {"function_to_apply": "my private text"}},
            422,
            (
                "Not one of the values that it may have - at `$.parameters.function_to_apply`. "
                "They are `none`, `sigmoid` and `softmax`."
            ),
        ),
        (
            {"inputs": "a", "parameters": {"my private text": 1}},
            422,
            f"There is an unknown field - at `$.parameters`. {KNOWN}",
        ),
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
        ({"inputs": ["a"] * 4}, 413, f"The request has 4 texts; the limit is 3. {SPLIT}"),
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


LONG = " ".join(f"term{number}" for number in range(20))
"""Longer than the classifier reads: 16 words."""


@pytest.mark.parametrize(
    ("parameters", "num_words", "num_scores"),
    [
        ({"truncation": True}, 16, 2),
        ({"truncation": "longest_first"}, 16, 2),
        ({"truncation": "only_first", "max_length": 512}, 16, 2),
        ({"truncation": True, "max_length": 3}, 3, 2),
        ({"max_length": 3.0}, 3, 2),
        ({"max_length": 1, "truncation": None, "top_k": None}, 1, 2),
        ({"return_all_scores": True}, 16, 2),
        ({"return_all_scores": False}, 16, 1),
        ({"return_all_scores": False, "top_k": 2}, 16, 2),
        ({"return_all_scores": True, "top_k": 1}, 16, 1),
        ({"return_all_scores": None, "function_to_apply": "softmax", "max_length": 2, "top_k": 1}, 2, 1),
    ],
)
@PATHS
async def test_parameters_mean_what_they_mean_in_a_pipeline(
    classifier: FakeClassifier, path: str, parameters: Any, num_words: int, num_scores: int
) -> None:
    expected = classifier.positive(" ".join(LONG.split()[:num_words]))
    async with serve(classifier, cache_texts=10) as client:
        for _ in range(2):  # nothing that was cut shorter is remembered
            response = await client.post(path, json={"inputs": [LONG, "a"], "parameters": parameters})
            assert response.status_code == 200
            scores, short = response.json()
            assert len(scores) == len(short) == num_scores
            found = {entry["label"]: entry["score"] for entry in scores}
            assert max(found.values()) == pytest.approx(max(expected, 1 - expected), abs=2e-6)
        whole = (await client.post(path, json={"inputs": LONG, "parameters": {"top_k": None}})).json()[0]
    assert max(entry["score"] for entry in whole) == pytest.approx(
        max(classifier.positive(LONG), 1 - classifier.positive(LONG)), abs=2e-6
    )


@pytest.mark.parametrize("truncation", [False, "do_not_truncate"])
async def test_a_text_that_must_not_be_cut_is_whole_or_refused(classifier: FakeClassifier, truncation: Any) -> None:
    parameters = {"truncation": truncation, "max_length": 2}
    fits = " ".join(LONG.split()[:16])
    async with serve(classifier) as client:
        read = await client.post("/", json={"inputs": fits, "parameters": parameters})
        refused = await client.post("/", json={"inputs": [fits, LONG], "parameters": parameters})
        alone = await client.post("/", json={"inputs": LONG, "parameters": parameters})
    p = classifier.positive(fits)
    assert max(entry["score"] for entry in read.json()[0]) == pytest.approx(max(p, 1 - p), abs=2e-6)
    assert (refused.status_code, refused.json()["error_type"]) == (413, "text_too_long")
    sentence = "The text has more than 16 tokens and must not be truncated."
    assert refused.json()["detail"] == f"{sentence} It is text 1 of the request, counted from 0."
    assert alone.json()["detail"] == sentence


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({"padding": True}, f"Object contains unknown field `padding` - at `$.parameters`. {KNOWN}"),
        ({"candidate_labels": ["a"]}, f"Object contains unknown field `candidate_labels` - at `$.parameters`. {KNOWN}"),
        ({"truncate": True}, f"Object contains unknown field `truncate` - at `$.parameters`. {KNOWN}"),
        ({"max_length": 0}, "Expected `int` >= 1 - at `$.parameters.max_length`."),
        ({"max_length": "8"}, "Expected `int | null`, got `str` - at `$.parameters.max_length`."),
        (
            {"truncation": "only_second"},
            (
                "Not one of the values that it may have - at `$.parameters.truncation`. "
                "They are `true`, `false`, `do_not_truncate`, `longest_first` and `only_first`."
            ),
        ),
        ({"return_all_scores": 1}, "Expected `bool | null`, got `int` - at `$.parameters.return_all_scores`."),
    ],
)
async def test_other_parameters_are_refused_by_name(classifier: FakeClassifier, parameters: Any, detail: str) -> None:
    async with serve(classifier) as client:
        response = await client.post("/", json={"inputs": "a", "parameters": parameters})
    assert (response.status_code, response.json()["detail"]) == (422, detail)


async def test_whole_number_written_as_a_float(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await client.post("/", content=b'{"inputs": "a", "parameters": {"top_k": 1.0}}')
    assert len(response.json()[0]) == 1


async def test_ping_and_the_page_stay(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        assert (await client.get("/ping")).status_code == 200
        assert (await client.get("/")).status_code == 307
