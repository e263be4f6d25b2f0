import json
from pathlib import Path

from benchmarks.shown.answers import WIDTH, formatted, renewed_document, renewed_examples

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = """See:

```console
$ curl -s localhost:8000/predict -d '{"inputs": "A"}'
{"label":"positive","score":0.9}
```
"""


def test_an_answer_is_written_again_only_if_it_changed() -> None:
    asked: list[tuple[str, str]] = []

    def ask(path: str, body: str) -> tuple[int, str]:
        asked.append((path, body))
        return 200, answers.pop(0)

    answers = ['{"label":"positive","score":0.91}', '{"label":"neutral","score":0.9}']
    assert renewed_document(DOCUMENT, ask) == DOCUMENT
    assert renewed_document(DOCUMENT, ask) == DOCUMENT.replace("positive", "neutral")
    assert asked == [("/predict", '{"inputs": "A"}')] * 2


def test_an_example_that_is_refused_stays() -> None:
    text = (ROOT / "app" / "api" / "examples.json").read_text("utf-8")

    def ask(path: str, body: str) -> tuple[int, str]:
        if "min_precision" in body:
            return 422, "{}"
        if path == "/predict/stream":
            return 200, "line\n"
        ids = {"id": "drawn"} if path == "/v1/classify" else {}
        return 200, json.dumps({"version": "new", "predictions": [{"label": "a"}, {"label": "b"}]} | ids)

    before, after = json.loads(text), json.loads(renewed_examples(text, ask))
    kept, shown = (examples["predict"]["abstaining"]["answer"] for examples in (before, after))
    assert shown == kept | {"version": "new"}
    assert after["predict"]["one"]["answer"]["version"] == "new"
    assert after["predict"]["partial"]["answer"]["predictions"][0] == {"label": "b"}
    assert "error" in after["predict"]["partial"]["answer"]["predictions"][1]
    assert after["vllm"]["one"]["answer"]["id"] == before["vllm"]["one"]["answer"]["id"]
    assert after["stream"]["one"]["answer"] == "line\n"


def test_json_is_compact_and_within_the_width() -> None:
    value = {"a": [list(range(40)), {"b": "c" * 60, "d": ["e" * 30]}], "f": {}, "g": "é"}
    text = formatted(value)
    assert json.loads(text) == value
    assert max(map(len, text.splitlines())) <= WIDTH + 40  # a list of 40 numbers breaks; a string never does
    assert '"f": {}' in text
    for path in ("app/api/examples.json", "app/explain/examples.json"):
        shown = (ROOT / path).read_text("utf-8")
        assert formatted(json.loads(shown)) + "\n" == shown
