import json
from typing import Any

import pytest

from benchmarks.http import stream

TEXTS = ("one", "two", "three")


def entry(number: int, score: float) -> dict[str, Any]:
    scores = [{"label": "a", "score": score}, {"label": "b", "score": 1 - score}]
    return {"line": number, "label": "a", "score": score, "scores": scores, "tokens": 1, "truncated": False}


EXPECTED = [entry(0, score) for score in (0.9, 0.8, 0.7)]


def test_lines_are_the_texts_in_turn_and_each_thousandth_is_broken() -> None:
    assert json.loads(stream.line_of(5, TEXTS)) == {"inputs": "three"}
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.line_of(2000, TEXTS))


@pytest.mark.parametrize(
    ("number", "answer", "right"),
    [
        (5, entry(5, 0.7), True),
        (5, entry(5, 0.8), False),
        (5, entry(6, 0.7), False),
        (5, {"line": 5, "error": {"type": "compute_error"}}, False),
        (1000, {"line": 1000, "error": {"type": "invalid_json"}}, True),
        (1000, {"line": 1000, "error": {"type": "compute_error"}}, False),
        (1000, entry(1000, 0.8), False),
    ],
)
def test_an_answer_is_that_of_its_line(number: int, answer: dict[str, Any], right: bool) -> None:
    assert stream.is_right(number, answer, EXPECTED) is right


def test_memory_is_sampled_while_something_runs() -> None:
    values = iter(range(100))
    with stream.sampling(lambda: next(values)) as samples:
        pass
    assert samples == [0]
