"""The suite of cases, and how failures are judged, counted and shown."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pytest

from training.errors import UsageError
from training.evaluation.checklist.cases import Case
from training.evaluation.checklist.check import (
    Outcome,
    all_cases,
    askable,
    check_labels,
    judge,
    section,
    summarise,
    table,
    worst_lines,
)

CASES = all_cases("both")
TWO = ("negative", "positive")
THREE = ("negative", "neutral", "positive")


def judge_two(cases: Sequence[Case], positive: Callable[[str], float]) -> list[Outcome]:
    """Outcomes of a model of two labels, given the probability of `positive` of a text."""
    return judge(cases, lambda texts: [[1 - positive(text), positive(text)] for text in texts], TWO)


def by_capability(cases: Sequence[Case]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.capability].append(case)
    return groups


def test_every_capability_has_cases_enough_all_different_and_of_both_labels() -> None:
    for name, cases in by_capability(CASES).items():
        assert len(cases) >= 60, name
        assert len({case.texts for case in cases}) == len(cases), name
        labels = Counter(case.label for case in cases if case.label)
        one_label = "of praise" in name or "of blame" in name or "neutral" in labels
        assert one_label or len(set(labels.values())) <= 1, name


def test_the_suite_is_the_same_each_time_and_each_language_alone() -> None:
    assert all_cases("both") == CASES == all_cases("en") + all_cases("zh")
    assert {case.capability[:2] for case in all_cases("zh")} == {"zh"}


def test_no_text_has_two_labels() -> None:
    labels: dict[str, set[str | None]] = defaultdict(set)
    for case in CASES:
        if case.check == "label":
            labels[case.texts[0]].add(case.label)
    assert all(len(found) == 1 for found in labels.values())


def test_texts_are_whole_and_changes_change_something() -> None:
    for case in CASES:
        assert len(case.texts) == (1 if case.check == "label" else 2)
        assert len(set(case.texts)) == len(case.texts), case
        assert (case.label is None) == (case.check == "same")
        for text in case.texts:
            assert not re.search(r"[{}|]|\ba [aeio]|  ", text), text


def test_a_model_that_knows_fails_nothing() -> None:
    cases = [case for case in CASES if case.check == "label"]
    known = {case.texts[0]: [float(label == case.label) for label in THREE] for case in cases}
    found = summarise(judge(cases, lambda texts: [known[text] for text in texts], THREE), num_worst=3)
    assert all(capability.failed == 0 for capability in found)


def test_there_are_five_hundred_neutral_facts_which_two_labels_are_not_asked() -> None:
    facts = [case for case in CASES if case.label == "neutral"]
    assert len(facts) == 500
    assert Counter(case.capability for case in facts) == {"en/neutral facts": 250, "zh/neutral facts": 250}
    assert askable(CASES, TWO) == [case for case in CASES if case not in facts]
    assert askable(CASES, THREE) == CASES
    assert [case for case in all_cases("both", 2) if case.label == "neutral"] == facts


def test_neutral_as_an_answer_fails_judgements_and_passes_facts() -> None:
    found = summarise(judge(CASES, lambda texts: [(0.2, 0.5, 0.3)] * len(texts), THREE), num_worst=1)
    rates = {c.name: c.rate for c in found}
    assert rates["en/neutral facts"] == rates["zh/neutral facts"] == rates["en/typos"] == 0.0
    assert rates["en/polarity"] == rates["zh/judgement by emoji"] == rates["en/negation: all"] == 1.0
    assert "(neutral; positive 0.30, expected " in "\n".join(worst_lines(found))


def test_three_labels_move_together() -> None:
    case = Case("x/y", "same", ("a", "b"))
    scores = {"a": (0.1, 0.3, 0.6), "b": (0.1, 0.5, 0.4)}
    [outcome] = judge([case], lambda texts: [scores[text] for text in texts], THREE)
    assert (outcome.failed, outcome.answers) == (True, ("positive", "neutral"))
    assert outcome.severity == pytest.approx(0.2)


def test_a_model_that_always_says_positive_fails_every_negative_text_and_no_change() -> None:
    found = {c.name: c.rate for c in summarise(judge_two(askable(CASES, TWO), lambda _: 0.9), num_worst=0)}
    assert found["en/polarity"] == 0.5
    assert found["en/negation: of praise"] == 1.0
    assert found["zh/negation: of blame"] == 0.0
    assert found["zh/negation: double"] == 0.5
    assert found["en/typos"] == found["zh/punctuation"] == found["en/intensifiers"] == 0.0
    assert found["en/negation: all"] == pytest.approx((1 + 0 + 3 * 0.5) / 5)


def test_a_word_counter_fails_where_words_deceive() -> None:
    good = re.compile(r"good|great|excellent|wonderful|fantastic|superb|brilliant|amazing|outstanding|pleasant"
                      r"|impressive|satisf|love|like|enjoy|happy|recommend")  # fmt: skip

    cases = askable(all_cases("en"), TWO)
    found = summarise(judge_two(cases, lambda text: 0.9 if good.search(text) else 0.1), num_worst=3)
    rates = {c.name: c.rate for c in found}
    assert rates["en/polarity"] < 0.1
    assert rates["en/negation: of praise"] > 0.8
    assert rates["en/thought it would be, but"] == 0.5


@pytest.mark.parametrize(
    ("check", "label", "positive", "failed"),
    [
        ("label", "positive", [0.51], False),
        ("label", "positive", [0.49], True),
        ("label", "negative", [0.49], False),
        ("label", "negative", [0.51], True),
        ("same", None, [0.9, 0.51], False),
        ("same", None, [0.51, 0.49], True),
        ("no lower", "positive", [0.9, 0.81], False),
        ("no lower", "positive", [0.9, 0.79], True),
        ("no lower", "negative", [0.1, 0.21], True),
        ("no lower", "negative", [0.9, 0.1], False),
    ],
)
def test_what_fails(check: str, label: str | None, positive: list[float], failed: bool) -> None:
    texts = tuple("ab"[: len(positive)])
    scores = dict(zip(texts, positive, strict=True))
    [outcome] = judge_two([Case("x/y", check, texts, label)], scores.__getitem__)  # type: ignore[arg-type]
    assert outcome.failed is failed


def test_the_worst_come_first_and_the_table_says_how_many() -> None:
    cases = [Case("en/x", "label", (text,), "positive") for text in "abcd"]
    scores = dict(zip("abcd", (0.4, 0.1, 0.9, 0.3), strict=True))
    found = summarise(judge_two(cases, scores.__getitem__), num_worst=2)
    assert [failure.texts for failure in found[0].worst] == [("b",), ("d",)]
    assert "| en/x | label | 4 | 75.0% | 30.1% to 95.4% |" in table(found)  # Wilson's interval, worked out by hand
    assert worst_lines(found)[1] == "  b  (negative; positive 0.10, expected positive)"


def test_other_labels_are_refused() -> None:
    check_labels(("positive", "negative"))
    check_labels(THREE)
    for labels in (("bad", "good"), ("negative", "neutral"), (*THREE, "mixed")):
        with pytest.raises(UsageError, match=f"not {', '.join(labels)}"):
            check_labels(labels)


def test_a_card_keeps_what_stands_around_the_table() -> None:
    assert section("# x\n\n## Limits\n\n- none\n", "| a |").endswith(
        "`python -m training checklist`).\n\n| a |\n\n## Limits\n\n- none\n"
    )
    assert section("# x\n", "| a |").endswith("`python -m training checklist`).\n\n| a |\n")
