import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from model.checkpoint import load_checkpoint
from training.evaluation.checklist.__main__ import main
from training.evaluation.checklist.cases import Case, expand
from training.evaluation.checklist.check import (
    all_cases,
    judge,
    positive_column,
    section,
    summarise,
    table,
    wilson,
    worst_lines,
)
from training.evaluation.checklist.chinese import OPINIONS, TRADITIONAL, WORDS
from training.evaluation.checklist.noise import MIN_TYPO, add_typos

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
    low, high = wilson(3, 4)
    assert f"| en/x | label | 4 | 75.0% | {low:.1%} to {high:.1%} |" in table(found)
    assert worst_lines(found)[1] == "  b  (positive 0.10, expected positive)"


def test_wilson_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for failed, total in ((0, 60), (7, 60), (60, 60)):
        expected = binomtest(failed, total).proportion_ci(method="wilson")
        assert wilson(failed, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_typos_spare_short_words_and_first_letters() -> None:
    text = "I did not find the restaurant wonderful"
    for seed in range(200):
        words = add_typos(text, Random(seed)).split()
        changed = [(a, b) for a, b in zip(text.split(), words, strict=True) if a != b]
        assert len(changed) == 2
        assert all(len(a) >= MIN_TYPO and a[0] == b[0] for a, b in changed)


def test_the_traditional_table_has_no_character_that_the_texts_lack() -> None:
    characters = {c for pattern in OPINIONS for text in expand(pattern, WORDS) for c in text}
    assert set(map(chr, TRADITIONAL)) <= characters


def test_other_labels_are_refused() -> None:
    assert positive_column(("positive", "negative")) == 0
    with pytest.raises(ValueError, match="not bad, good"):
        positive_column(("bad", "good"))


def test_the_command_measures_a_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    result = CliRunner().invoke(main, [str(tiny_checkpoint), "--json", str(file), "--language", "zh", "--cases", "20"])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text(encoding="utf-8"))["capabilities"]
    assert set(found) == set(by_capability(all_cases("zh"))) | {"zh/negation: all"}
    some = found["zh/polarity"]
    assert some["cases"] == 20
    assert f"| zh/polarity | label | 20 | {some['rate']:.1%} |" in result.output
    missing = CliRunner().invoke(main, [str(tmp_path / "nowhere")])
    assert (missing.exit_code, "nowhere" in missing.output) == (2, True)


def test_the_card_gets_the_table_once_and_the_checkpoint_stays_whole(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    call = [str(folder), "--language", "zh", "--cases", "2", "--card"]
    first, second = (CliRunner().invoke(main, call) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    before, after = load_checkpoint(tiny_checkpoint), load_checkpoint(folder)
    assert f"the checkpoint is version {after.version} now" in second.output
    assert after.version != before.version
    assert after.card.count("## Robustness") == after.card.count("| zh/polarity |") == 1
    assert after.card.startswith(before.card.partition("## Limits")[0].rstrip())


def test_a_card_keeps_what_stands_around_the_table() -> None:
    assert section("# x\n\n## Limits\n\n- none\n", "| a |").endswith(
        "training.evaluation.checklist`).\n\n| a |\n\n## Limits\n\n- none\n"
    )
    assert section("# x\n", "| a |").endswith("training.evaluation.checklist`).\n\n| a |\n")
