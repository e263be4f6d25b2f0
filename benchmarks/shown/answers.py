"""The answers that documents show below a `curl`, and those of the OpenAPI examples, asked of a server anew."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.shown.text import alike

TOLERANCE = 0.02
"""Scores of a server in int8 and of one in float32 differ by less."""

EXPLAINED_TOLERANCE = 0.002
"""Explanations are computed in float32 everywhere."""

CURL = re.compile(r"^\$ curl -s localhost:8000(?P<path>\S+) -d '(?P<body>.*)'\n(?P<answer>(?:[^`].*\n)+)", re.MULTILINE)
PATHS = {
    "predict": "/predict",
    "stream": "/predict/stream",
    "huggingface": "/",
    "vllm": "/v1/classify",
    "oip": "/v2/models/sentiment/infer",
}
"""Route of each form in app/api/examples.json."""

DRAWN = {"id", "created"}
"""Fields of an answer that differ at every call; those shown stay."""

WIDTH = 120

Ask = Callable[[str, str], tuple[int, str]]
"""Path and body of a POST in, status and body of the answer out."""


def renewed_document(document: str, ask: Ask) -> str:
    """The document with each answer that is no longer `alike` in the place of the one shown."""

    def answer(shown: re.Match[str]) -> str:
        _, found = ask(shown["path"], shown["body"])
        laid_out = one_a_line(found)
        kept = alike(shown["answer"], laid_out, TOLERANCE)
        return shown[0] if kept else shown[0].removesuffix(shown["answer"]) + laid_out

    return CURL.sub(answer, document)


def one_a_line(answer: str) -> str:
    """The answer to several texts with one prediction a line, so that it can be read; another one as it came.

    >>> one_a_line('{"predictions":[{"label":"a"},{"label":"b"}]}').splitlines()
    ['{"predictions":[', '{"label":"a"},', '{"label":"b"}', ']}']
    """
    found = json.loads(answer)
    predictions = found.pop("predictions", ()) if isinstance(found, dict) else ()
    if len(predictions) < 2:
        return f"{answer}\n"
    compact = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
    head = compact(found | {"predictions": []}).removesuffix("]}")
    return f"{head}\n" + ",\n".join(map(compact, predictions)) + "\n]}\n"


def renewed_examples(text: str, ask: Ask) -> str:
    """app/api/examples.json with what the server answers to the requests in it.

    An example that is refused keeps its answer: a checkpoint may have no threshold for `min_precision`. The one in
    which a text fails has no request; its other text is the last of the request of several.
    """
    examples = json.loads(text)
    for form, path in PATHS.items():
        for example in examples[form].values():
            if {"request", "answer"} <= example.keys():
                example["answer"] = _asked(path, example["request"], example["answer"], ask)
    several = examples["predict"]["several"]["request"]
    _, found = ask("/predict", json.dumps(several, ensure_ascii=False))
    partial = examples["predict"]["partial"]["answer"]
    for answer in (partial, examples["predict"]["abstaining"]["answer"]):
        answer["version"] = json.loads(found)["version"]
    partial["predictions"][0] = json.loads(found)["predictions"][-1]
    return _kept(text, examples, TOLERANCE)


def renewed_explanations(text: str, ask: Ask) -> str:
    """app/explain/examples.json with what the server answers to the requests in it."""
    examples = json.loads(text)
    for name in ("one", "gates"):
        _, found = ask("/explain", json.dumps(examples[name]["request"]))
        examples[name]["answer"] = json.loads(found)
    examples["failed"]["answer"]["version"] = examples["one"]["answer"]["version"]
    return _kept(text, examples, EXPLAINED_TOLERANCE)


def _asked(path: str, request: Any, shown: Any, ask: Ask) -> Any:
    lines = isinstance(request, str)
    status, found = ask(path, request if lines else json.dumps(request, ensure_ascii=False))
    if status != 200:
        return shown
    answer = found if lines else json.loads(found)
    if isinstance(answer, dict) and isinstance(shown, dict):
        answer |= {name: shown[name] for name in DRAWN & answer.keys() & shown.keys()}
    return answer


def _kept(text: str, examples: Any, tolerance: float) -> str:
    found = formatted(examples) + "\n"
    return text if alike(text, found, tolerance) else found


def formatted(value: Any, indent: int = 0, taken: int = 0) -> str:
    """JSON in which what fits into a line of `WIDTH` stands on one, `taken` of whose columns are before and behind it.

    >>> formatted({"scores": [0.75, 0.25]})
    '{"scores": [0.75, 0.25]}'
    """
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + taken + len(line) <= WIDTH:
        return line
    inner = indent + 2
    if isinstance(value, dict):
        heads = [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
        parts = [head + formatted(part, inner, len(head) + 1) for head, part in zip(heads, value.values(), strict=True)]
    else:
        parts = [formatted(part, inner, 1) for part in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n" + ",\n".join(" " * inner + part for part in parts) + f"\n{' ' * indent}{last}"
