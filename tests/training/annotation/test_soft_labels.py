"""The rule worked out by hand, for tokens that are cut in every way."""

import math

import pytest

from training.annotation.soft_labels import LEAST, Token, log_probabilities


def token(chosen: str | bytes, others: dict[str, float]) -> Token:
    content = chosen.encode() if isinstance(chosen, str) else chosen
    return Token(content, tuple((name.encode(), probability) for name, probability in others.items()))


def plain(content: str) -> Token:
    return token(content, {content: 1.0})


def probabilities(tokens: list[Token], labels: tuple[str, ...], answer: str | None = None) -> list[float] | None:
    answer = answer or b"".join(one.content for one in tokens).decode()
    found = log_probabilities(tokens, answer, answer.index('": "') + 4, labels)
    return None if found is None else [round(math.exp(value), 4) for value in found]


def test_the_first_token_tells_labels_apart() -> None:
    tokens = [plain('{"1": "'), token("good", {"good": 0.6, "bad": 0.2, "so": 0.2}), plain('"}')]
    assert probabilities(tokens, ("bad", "good")) == [0.25, 0.75]


def test_a_token_may_begin_before_the_label_and_end_behind_it() -> None:
    tokens = [plain('{"1":'), token(' "good"}', {' "good"}': 0.5, ' "b': 0.25, '"bad': 0.25})]
    assert probabilities(tokens, ("bad", "good")) == [0.3333, 0.6667]


def test_where_labels_begin_alike_the_next_token_decides() -> None:
    tokens = [
        plain('{"1": "'),
        token("very ", {"very ": 0.8, "good": 0.2}),
        token("good", {"good": 0.75, "bad": 0.25}),
        plain('"}'),
    ]
    assert probabilities(tokens, ("good", "very bad", "very good")) == [0.2, 0.2, 0.6]


def test_alternatives_that_say_nothing_of_the_label_are_left_out() -> None:
    tokens = [plain('{"1": "'), token("good", {"good": 0.6, "": 0.2, "bad": 0.2}), plain('"}')]
    assert probabilities(tokens, ("bad", "good")) == [0.25, 0.75]
    tokens = [plain('{"1":'), token(' "good', {' "good': 0.6, ' "': 0.2, ' "bad': 0.2}), plain('"}')]
    assert probabilities(tokens, ("bad", "good")) == [0.25, 0.75]


def test_a_token_that_the_schema_forces_takes_nothing_from_its_labels() -> None:
    tokens = [
        plain('{"1": "'),
        token("n", {"n": 0.6, "pos": 0.4}),
        token("e", {"e": 0.01, "x": 0.9}),
        token("g", {"g": 0.2, "u": 0.2, "x": 0.6}),
        plain('ative"}'),
    ]
    assert probabilities(tokens, ("negative", "neutral", "positive")) == [0.3, 0.3, 0.4]


def test_a_label_that_another_one_begins_with_ends_at_the_quotation_mark() -> None:
    tokens = [plain('{"1": "'), token("pos", {"pos": 1.0}), token('"}', {'"}': 0.9, "itive": 0.1})]
    assert probabilities(tokens, ("pos", "positive")) == [0.9, 0.1]


def test_an_alternative_of_several_labels_is_shared() -> None:
    tokens = [plain('{"1": "'), token("no", {"no": 0.5, "very ": 0.5}), plain('"}')]
    assert probabilities(tokens, ("no", "very bad", "very good")) == [0.5, 0.25, 0.25]


def test_a_label_without_an_alternative_is_less_probable_than_the_least() -> None:
    rest = [plain('{"1": "'), token("a", {"a": 0.7, "b": 0.1}), plain('"}')]
    assert probabilities(rest, ("a", "b", "c")) == [0.7778, 0.1111, 0.1111]  # 0.2 are left, the least is 0.1
    masked = [plain('{"1": "'), token("a", {"a": 0.9, "b": 0.1}), plain('"}')]
    found = log_probabilities(masked, '{"1": "a"}', 7, ("a", "b", "c"))
    assert found is not None
    assert found[2] == pytest.approx(math.log(LEAST), abs=1e-4)


def test_a_token_may_be_a_part_of_a_character() -> None:
    first, second = "好"[:1].encode()[:2], "好".encode()[2:]
    tokens = [
        plain('{"1": "'),
        Token(first, ((first, 0.5), ("坏".encode()[:2], 0.5))),
        Token(second, ((second, 1.0),)),
        plain('"}'),
    ]
    assert probabilities(tokens, ("坏", "好")) == [0.5, 0.5]


def test_thoughts_before_the_answer_are_passed_over() -> None:
    tokens = [plain('<think>{"1": "bad"}</think>'), plain('{"1": "'), token("good", {"good": 1.0}), plain('"}')]
    found = probabilities(tokens, ("bad", "good"), '{"1": "good"}')
    assert found is not None
    assert found[1] == pytest.approx(1.0, abs=1e-3)


def test_other_tokens_than_the_answers_give_nothing() -> None:
    assert log_probabilities([plain("x")], '{"1": "good"}', 7, ("good", "bad")) is None
    assert log_probabilities([plain('{"1": "')], '{"1": "', 7, ("good", "bad")) is None
    assert probabilities([plain('{"1": "'), plain('ugly"}')], ("good", "bad")) is None
