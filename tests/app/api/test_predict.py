import asyncio
import json
from collections import Counter
from typing import Any

import httpx2
import pytest

from model.config import PrecisionThreshold
from tests.app.conftest import POISON, FakeClassifier, app_of, serve, until

pytestmark = pytest.mark.anyio


async def predictions(client: httpx2.AsyncClient, **body: Any) -> list[Any]:
    response = await client.post("/predict", json=body)
    assert response.status_code == 200, response.text
    entries: list[Any] = response.json()["predictions"]
    return entries


async def test_one_text_has_the_documented_shape(classifier: FakeClassifier) -> None:
    p = classifier.positive("a fine film")
    async with serve(classifier) as client:
        response = await client.post("/predict", json={"inputs": "a fine film"})
    pairs = sorted([(p, "positive"), (round(1 - p, 6), "negative")], reverse=True)
    assert response.json() == {
        "model": "sentiment",
        "version": "0123456789ab",
        "predictions": [
            {
                "label": pairs[0][1],
                "score": pytest.approx(pairs[0][0], abs=1e-6),
                "scores": [{"label": label, "score": pytest.approx(score, abs=1e-6)} for score, label in pairs],
                "tokens": 3,
                "truncated": False,
            }
        ],
    }
    assert response.headers["content-type"] == "application/json"
    assert [part.split(";")[0] for part in response.headers["server-timing"].split(", ")] == [
        "wait",
        "tokenise",
        "queue",
        "compute",
    ]


async def test_many_texts_answer_as_each_alone_in_order(classifier: FakeClassifier) -> None:
    texts = [" ".join(f"w{i}_{j}" for j in range(i % 23)) for i in range(300)]
    async with serve(classifier, max_batch_texts=16, max_batch_tokens=64) as client:
        answers = await predictions(client, inputs=texts)
    by_label = [{s["label"]: s["score"] for s in answer["scores"]} for answer in answers]
    assert [scores["positive"] for scores in by_label] == [classifier.positive(text) for text in texts]
    assert [answer["tokens"] for answer in answers] == [min(i % 23, 16) for i in range(300)]
    assert [answer["truncated"] for answer in answers] == [i % 23 > 16 for i in range(300)]
    assert max(len(batch) for batch in classifier.batches) <= 16
    assert all(max(1, *batch) * len(batch) <= 64 for batch in classifier.batches if len(batch) > 1)
    assert classifier.threads == {"device"}


async def test_equal_texts_are_computed_once(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        answers = await predictions(client, inputs=["same", "other", "same"])
    assert answers[0] == answers[2] != answers[1]
    assert sum(map(len, classifier.batches)) == 2


async def test_equal_texts_count_as_often_as_they_are_sent(classifier: FakeClassifier) -> None:
    texts = ["same", "word " * 17, "same", POISON, "same", POISON, "word " * 17, "x" * 100]
    async with serve(classifier, max_chars=99) as client:
        answers = await predictions(client, inputs=texts)
        metrics = (await client.get("/metrics")).text
    labels = Counter(answer["label"] for answer in answers if "label" in answer)
    for label, count in labels.items():
        assert f'predictions_total{{label="{label}",model="sentiment",version="0123456789ab"}} {count}.0' in metrics
    assert 'sluice_texts_total{model="sentiment"} 7.0' in metrics
    assert 'sluice_version_texts_total{model="sentiment",version="0123456789ab"} 7.0' in metrics
    assert 'sluice_texts_truncated_total{model="sentiment"} 2.0' in metrics
    assert 'sluice_texts_failed_total{model="sentiment",type="compute_error"} 2.0' in metrics
    assert 'sluice_text_tokens_count{model="sentiment"} 5.0' in metrics
    assert f'sluice_tokens_total{{model="sentiment"}} {1 + 16 + 1}.0' in metrics  # the work


@pytest.mark.parametrize(("cause", "max_queue_texts"), [("overload", 3), ("deadline", 9)])
async def test_equal_texts_without_an_answer_count_as_often(
    classifier: FakeClassifier, cause: str, max_queue_texts: int
) -> None:
    async with serve(classifier, max_queue_texts=max_queue_texts, max_texts=3, max_batch_texts=3) as client:
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": ["c", "d"]}))
        await until(classifier.entered.is_set)
        headers = {"X-Request-Timeout-Ms": "30"}
        dropped = await client.post("/predict", json={"inputs": ["a", "b", "a"]}, headers=headers)
        classifier.gate.set()
        assert ((await held).status_code, dropped.is_success) == (200, False)
        assert f'dropped_total{{cause="{cause}",model="sentiment"}} 3.0' in (await client.get("/metrics")).text


async def test_empty_list_and_empty_text(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        assert await predictions(client, inputs=[]) == []
        (answer,) = await predictions(client, inputs="")
    assert (answer["tokens"], answer["label"], answer["score"]) == (0, "negative", 0.75)


@pytest.mark.parametrize(("top_k", "num"), [(1, 1), (2, 2), (99, 4), (None, 4)])
async def test_top_k(top_k: int | None, num: int) -> None:
    classifier = FakeClassifier(("a", "b", "c", "d"), "multi_label")
    async with serve(classifier) as client:
        (answer,) = await predictions(client, inputs="word", top_k=top_k)
    scores = [entry["score"] for entry in answer["scores"]]
    assert len(scores) == num
    assert scores == sorted(scores, reverse=True)
    assert (answer["label"], answer["score"]) == (answer["scores"][0]["label"], scores[0])


THREE = ("negative", "positive", "neutral")


async def test_labels_to_choose_among() -> None:
    classifier = FakeClassifier(THREE)
    p = classifier.positive("word")
    async with serve(classifier) as client:
        (whole,) = await predictions(client, inputs="word")
        (answer,) = await predictions(client, inputs="word", labels=["neutral", "negative"])
        (best,) = await predictions(client, inputs="word", labels=["neutral", "negative"], top_k=1)
        (everything,) = await predictions(client, inputs="word", labels=["neutral", "positive", "negative"])
    among = {"negative": (1 - p) / (1 - p / 2), "neutral": p / 2 / (1 - p / 2)}
    assert {entry["label"]: entry["score"] for entry in answer["scores"]} == pytest.approx(among, abs=2e-6)
    assert sum(entry["score"] for entry in answer["scores"]) == pytest.approx(1, abs=2e-6)
    assert answer["label"] == answer["scores"][0]["label"] == max(among, key=lambda label: among[label])
    assert (best["label"], best["score"], best["scores"]) == (answer["label"], answer["score"], answer["scores"][:1])
    assert everything == whole


async def test_labels_of_a_multi_label_model_keep_their_scores() -> None:
    async with serve(FakeClassifier(THREE, "multi_label")) as client:
        (whole,) = await predictions(client, inputs="word")
        (answer,) = await predictions(client, inputs="word", labels=["neutral"])
    assert answer["scores"] == [entry for entry in whole["scores"] if entry["label"] == "neutral"]
    assert (answer["label"], answer["score"]) == ("neutral", answer["scores"][0]["score"])


@pytest.mark.parametrize("labels", [[], ["negative"], ["negative", "negative"], ["negative", "my private text"]])
async def test_wrong_labels_are_refused_before_anything_is_computed(labels: list[str]) -> None:
    classifier = FakeClassifier(THREE)
    async with serve(classifier) as client:
        response = await client.post("/predict", json={"inputs": ["word", "other"], "labels": labels})
    assert (response.status_code, response.json()["error_type"]) == (422, "invalid_request")
    assert response.json()["detail"].endswith("It has `negative`, `positive`, `neutral`.")
    assert "private" not in response.text
    assert classifier.batches == []


async def test_labels_are_chosen_after_the_cache_and_the_metrics() -> None:
    """Both see the whole row: a label that was not to be chosen counts as the model's answer all the same."""
    classifier = FakeClassifier(THREE)
    words = [word for word in map(str, range(100)) if classifier.positive(word) > 0.7][:3]
    async with serve(classifier, cache_texts=10) as client:
        chosen = await predictions(client, inputs=words, labels=["negative", "neutral"])
        whole = await predictions(client, inputs=words)
        again = await predictions(client, inputs=words, labels=["negative", "neutral"])
        await asyncio.sleep(0)  # what is remembered is answered before it is counted
        metrics = (await client.get("/metrics")).text
    assert chosen == again
    assert {entry["label"] for entry in whole} == {"positive"}
    assert "positive" not in {score["label"] for entry in chosen for score in entry["scores"]}
    assert sum(map(len, classifier.batches)) == 3
    assert 'sluice_cache_hits_total{model="sentiment"} 6.0' in metrics
    assert 'sluice_predictions_total{label="positive",model="sentiment",version="0123456789ab"} 9.0' in metrics


def at_three_quarters(task: str = "single_label") -> FakeClassifier:
    """A classifier whose answers of a probability of 3/4 are right in 95% of cases."""
    classifier = FakeClassifier(task=task)
    classifier.precision_thresholds = (
        PrecisionThreshold(precision=0.9, threshold=0.75, coverage=0.5),
        PrecisionThreshold(precision=0.99, threshold=None, coverage=0),
    )
    return classifier


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
async def test_a_text_below_the_threshold_gets_no_label_but_its_scores(task: str) -> None:
    classifier = at_three_quarters(task)
    words = ["", *map(str, range(40))]  # an empty text has exactly 0.75
    async with serve(classifier, cache_texts=100) as client:
        whole = await predictions(client, inputs=words)
        sure = await predictions(client, inputs=words, min_precision=0.9, top_k=1)
        again = await predictions(client, inputs=words, min_precision=0.9)
    assert again == [entry | {"label": entry["label"] if entry["score"] >= 0.75 else None} for entry in whole]
    assert {entry["label"] for entry in again} == {"negative", "positive", None}
    assert again[0]["label"] == "negative"
    assert sure == [entry | {"scores": entry["scores"][:1]} for entry in again]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"min_precision": 0.95}, "it may be at most 0.9"),
        ({"min_precision": 0.9, "labels": ["negative"]}, "`labels` names `negative` alone"),
        ({"min_precision": 0}, "Expected `float` > 0.0 - at `$.min_precision`."),
        ({"min_precision": 1.5}, "Expected `float` <= 1.0 - at `$.min_precision`."),
        ({"min_precision": "0.9"}, "Expected `float | null`, got `str` - at `$.min_precision`."),
    ],
)
async def test_a_precision_that_cannot_be_had_is_422(body: dict[str, Any], detail: str) -> None:
    classifier = at_three_quarters()
    async with serve(classifier) as client:
        response = await client.post("/predict", json={"inputs": "a"} | body)
    assert (response.status_code, response.json()["error_type"]) == (422, "invalid_request")
    assert detail in response.json()["detail"]
    assert classifier.batches == []


async def test_named_model(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await client.post("/predict", json={"inputs": "a", "model": "sentiment"})
        assert response.json()["model"] == "sentiment"


async def test_bad_text_costs_its_neighbours_nothing(classifier: FakeClassifier) -> None:
    texts = ["good film", f"some {POISON} here", "untokenisable", "x" * 101, "bad film"]
    async with serve(classifier, max_chars=100) as client:
        answers = await predictions(client, inputs=texts)
        metrics = (await client.get("/metrics")).text
    assert [answer.get("error", {}).get("type") for answer in answers] == [
        None,
        "compute_error",
        "compute_error",
        "text_too_long",
        None,
    ]
    assert answers[3]["error"]["detail"] == "The text has 101 characters; the limit is 100."
    assert answers[4]["tokens"] == 2
    assert 'sluice_texts_failed_total{model="sentiment",type="compute_error"} 2.0' in metrics
    assert 'sluice_texts_failed_total{model="sentiment",type="text_too_long"} 1.0' in metrics


async def test_lone_surrogates_get_an_answer(classifier: FakeClassifier) -> None:
    body = rb'{"inputs": ["\ud800 broken", "whole", "\udc00\ud83d\ude00"]}'
    async with serve(classifier) as client:
        response = await client.post("/predict", content=body)
    answers = response.json()["predictions"]
    assert [answer["tokens"] for answer in answers] == [2, 1, 1]
    positive = {s["label"]: s["score"] for s in answers[2]["scores"]}["positive"]
    assert positive == classifier.positive("\ufffd\U0001f600")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/json"])
async def test_content_type_does_not_matter(classifier: FakeClassifier, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    async with serve(classifier) as client:
        response = await client.post("/predict", content=b'{"inputs":"a"}', headers=headers)
    assert response.status_code == 200


async def test_large_answers_are_built_off_the_loop() -> None:
    classifier = FakeClassifier(tuple(f"label{i}" for i in range(100)), "multi_label")
    async with serve(classifier) as client:
        answers = await predictions(client, inputs=[f"text {i}" for i in range(30)])
    assert [len(answer["scores"]) for answer in answers] == [100] * 30


async def test_deadline_of_the_client_and_work_dropped_before_the_device(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": "first"}))
        await until(classifier.entered.is_set)
        late = await client.post("/predict", json={"inputs": "second"}, headers={"X-Request-Timeout-Ms": "30"})
        classifier.gate.set()
        assert (await held).status_code == 200
        await predictions(client, inputs="third")
        metrics = (await client.get("/metrics")).text
    assert late.status_code == 504
    assert late.json()["detail"] == "The answer was not ready within 30 ms."
    assert [len(batch) for batch in classifier.batches] == [1, 1]
    assert 'sluice_texts_dropped_total{cause="deadline",model="sentiment"} 1.0' in metrics


async def test_full_queue_refuses_the_whole_request(classifier: FakeClassifier) -> None:
    async with serve(classifier, max_queue_texts=4, max_texts=4, max_batch_texts=4) as client:
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": ["a", "b"]}))
        await until(classifier.entered.is_set)
        refused = await client.post("/predict", json={"inputs": ["c", "d", "e"]})
        fitting = asyncio.create_task(client.post("/predict", json={"inputs": ["f", "g"]}))
        await asyncio.sleep(0.02)
        health = await client.get("/health/ready")
        classifier.gate.set()
        assert (await held).status_code == (await fitting).status_code == 200
        metrics = (await client.get("/metrics")).text
    assert (refused.status_code, refused.json()["error_type"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    assert health.status_code == 200
    assert sum(map(len, classifier.batches)) == 4
    assert 'sluice_texts_dropped_total{cause="overload",model="sentiment"} 3.0' in metrics
    assert 'sluice_queue_texts{model="sentiment"} 0.0' in metrics


async def test_client_that_leaves_takes_its_work_along(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        app = app_of(client)  # raw ASGI: httpx cannot hang up
        classifier.gate.clear()
        held = asyncio.create_task(client.post("/predict", json={"inputs": "stays"}))
        await until(classifier.entered.is_set)
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        messages.put_nowait({"type": "http.request", "body": b'{"inputs":"leaves"}', "more_body": False})
        scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict", "headers": []}
        scope |= {"query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http"}
        leaving = asyncio.create_task(app(scope, messages.get, send))
        await asyncio.sleep(0.02)
        messages.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(leaving, 2)
        classifier.gate.set()
        assert (await held).status_code == 200
        await predictions(client, inputs="next")
        metrics = (await client.get("/metrics")).text
    assert [len(batch) for batch in classifier.batches] == [1, 1]
    assert sent[0]["status"] == 499
    assert 'sluice_texts_dropped_total{cause="disconnect",model="sentiment"} 1.0' in metrics


async def test_body_in_pieces_is_bounded(classifier: FakeClassifier) -> None:
    async def pieces() -> Any:
        for _ in range(40):
            yield b" " * 100

    async with serve(classifier, max_body_bytes=2048, max_chars=1000) as client:
        response = await client.post("/predict", content=pieces())
    assert (response.status_code, response.json()["error_type"]) == (413, "body_too_large")


async def test_answers_are_short_numbers(classifier: FakeClassifier) -> None:
    async with serve(classifier) as client:
        response = await client.post("/predict", json={"inputs": ["a", "b c", "d e f"]})
    for answer in json.loads(response.text, parse_float=str)["predictions"]:
        assert all(len(entry["score"]) <= len("0.123456") for entry in answer["scores"])
