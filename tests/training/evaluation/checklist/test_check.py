"""The suite of cases, and how failures are judged, counted and shown."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from training.errors import UsageError
from training.evaluation.checklist.cases import Case
from training.evaluation.checklist.check import (
    all_cases,
    judge,
    positive_column,
    section,
    summarise,
    table,
    worst_lines,
)

CASES = all_cases("both")


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
        assert "of praise" in name or "of blame" in name or len(set(labels.values())) <= 1, name


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


def truth(cases: Sequence[Case]) -> dict[str, float]:
    return {case.texts[0]: float(case.label == "positive") for case in cases if case.check == "label"}


def test_a_model_that_knows_fails_nothing() -> None:
    cases = [case for case in CASES if case.check == "label"]
    known = truth(cases)
    assert all(
        found.failed == 0 for found in summarise(judge(cases, lambda texts: [known[t] for t in texts]), num_worst=3)
    )


def test_a_model_that_always_says_positive_fails_every_negative_text_and_no_change() -> None:
    found = {c.name: c.rate for c in summarise(judge(CASES, lambda texts: [0.9] * len(texts)), num_worst=0)}
    assert found["en/polarity"] == 0.5
    assert found["en/negation: of praise"] == 1.0
    assert found["zh/negation: of blame"] == 0.0
    assert found["zh/negation: double"] == 0.5
    assert found["en/typos"] == found["zh/punctuation"] == found["en/intensifiers"] == 0.0
    assert found["en/negation: all"] == pytest.approx((1 + 0 + 0.5) / 3)


def test_a_word_counter_fails_where_words_deceive() -> None:
    good = re.compile(r"good|great|excellent|wonderful|fantastic|superb|brilliant|amazing|outstanding|pleasant"
                      r"|impressive|satisf|love|like|enjoy|happy|recommend")  # fmt: skip

    found = summarise(
        judge(all_cases("en"), lambda texts: [0.9 if good.search(t) else 0.1 for t in texts]), num_worst=3
    )
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
    [outcome] = judge([Case("x/y", check, texts, label)], lambda _: positive)  # type: ignore[arg-type]
    assert outcome.failed is failed


def test_the_worst_come_first_and_the_table_says_how_many() -> None:
    cases = [Case("en/x", "label", (text,), "positive") for text in "abcd"]
    found = summarise(judge(cases, lambda _: [0.4, 0.1, 0.9, 0.3]), num_worst=2)
    assert [failure.texts for failure in found[0].worst] == [("b",), ("d",)]
    assert "| en/x | label | 4 | 75.0% | 30.1% to 95.4% |" in table(found)  # Wilson's interval, worked out by hand
    assert worst_lines(found)[1] == "  b  (positive 0.10, expected positive)"


def test_other_labels_are_refused() -> None:
    assert positive_column(("positive", "negative")) == 0
    with pytest.raises(UsageError, match="not bad, good"):
        positive_column(("bad", "good"))


def test_a_card_keeps_what_stands_around_the_table() -> None:
    assert section("# x\n\n## Limits\n\n- none\n", "| a |").endswith(
        "`python -m training checklist`).\n\n| a |\n\n## Limits\n\n- none\n"
    )
    assert section("# x\n", "| a |").endswith("`python -m training checklist`).\n\n| a |\n")
