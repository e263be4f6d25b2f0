from typing import Any

import pytest

from tests.training.annotation.rule_server import completion
from training.annotation.answers import Answer, Judged, Unlabelled, judge, parse_answer
from training.annotation.prompt import parse_labels

LABELS = parse_labels("good,bad")


@pytest.mark.parametrize(
    "content",
    [
        '{"1": "good"}',
        'Here you are:\n```json\n{"1": "Good "}\n```',
        '<think>{"1": "bad"}? No.</think>{"1": "good"}',
        'It is {"1": "bad"}, or rather</think>{"1": "good"}',
        " Good.\n",
    ],
)
def test_a_label_is_found_in_many_forms(content: str) -> None:
    assert judge(Answer(content), 1, LABELS) == [Judged("good")]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer("I cannot say."), "no JSON object: 'I cannot say.'"),
        (Answer(""), "no JSON object: ''"),
        (Answer('{"1": "goo'), 'no JSON object: \'{"1": "goo\''),
        (Answer("[" * 5000 + "{" * 5000 + "}"), "no JSON object: '" + "[" * 60 + "…'"),
        (Answer('{"1": "ugly"}'), "wrong label: 'ugly'"),
        (Answer('{"1": ["good"]}'), "wrong label: \"['good']\""),
        (Answer('{"2": "good"}'), "no answer about this text"),
        (Answer('{"1": "good"}', finish_reason="length"), "cut answer"),
        (Answer("", finish_reason="content_filter"), "refused by the endpoint's content filter"),
    ],
)
def test_an_answer_without_a_label_says_why(answer: Answer, cause: str) -> None:
    (found,) = judge(answer, 1, LABELS)
    assert isinstance(found, Unlabelled)
    assert found.cause == cause


def test_an_answer_counts_text_by_text() -> None:
    good, wrong, none = judge(Answer('{"1": "good", "2": "ugly", "4": "bad"}'), 3, LABELS)
    assert good == Judged("good")
    assert isinstance(wrong, Unlabelled)
    assert none == Unlabelled("no answer about this text")
    assert judge(Answer("good"), 2, LABELS) == [Unlabelled("no JSON object: 'good'")] * 2


def test_tokens_and_usage_are_read() -> None:
    entry = {"token": "good", "logprob": -0.1, "bytes": None, "top_logprobs": [{"token": "bad", "logprob": -9999.0}]}
    answer = parse_answer(completion("good", logprobs={"content": [entry]}))
    assert (answer.tokens_in, answer.tokens_out) == (100, 10)
    assert answer.tokens is not None
    names, probabilities = zip(*answer.tokens[0].alternatives, strict=True)
    assert names == (b"good", b"bad")
    assert probabilities == (pytest.approx(0.9048, abs=1e-4), 0.0)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"token": "good"}]}])
def test_log_probabilities_that_are_missing_or_odd_are_none(logprobs: Any) -> None:
    assert parse_answer(completion("good", logprobs=logprobs)).tokens is None


@pytest.mark.parametrize("body", [None, [], {}, {"choices": []}, {"choices": [{}]}, {"error": {"message": "x"}}])
def test_what_is_no_chat_completion_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match="no chat completion"):
        parse_answer(body)


def test_other_content_is_refused_and_none_is_empty() -> None:
    with pytest.raises(ValueError, match="is no text"):
        parse_answer({"choices": [{"message": {"content": [1]}}]})
    assert parse_answer({"choices": [{"message": {"content": None}}], "usage": None}).content == ""
