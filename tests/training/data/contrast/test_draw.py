"""The contrast sentences: labels that hold, both of them in every rule, and nothing of the robustness suite."""

import re
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.data.contrast.draw import GRAMMARS, draw_sentences
from training.data.contrast.grammar import SYMBOL, Grammar
from training.errors import UsageError
from training.evaluation.checklist.cases import Slots, Suite
from training.evaluation.checklist.chinese import CHINESE, chinese_cases
from training.evaluation.checklist.english import ENGLISH, english_cases

COUNT = 10_000
SUITES: dict[str, Suite] = {"en": ENGLISH, "zh": CHINESE}


@pytest.fixture(scope="module", params=list(GRAMMARS))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _pattern(template: str, slots: Slots) -> re.Pattern[str]:
    """What the template makes, whatever stands for its things."""
    parts = re.split(r"({\w+})", template)
    return re.compile(
        "".join(
            re.escape(part)
            if not part.startswith("{")
            else r"[\w' ]{1,24}"
            if part in ("{thing}", "{story}", "{place}", "{product}")
            else "(?:" + "|".join(map(re.escape, slots[part[1:-1]])) + ")"
            for part in parts
        ),
        re.IGNORECASE,
    )


def test_no_sentence_follows_a_template_of_the_suite_nor_is_one_of_its_cases(language: str) -> None:
    suite = SUITES[language]
    made = {"en": english_cases, "zh": chinese_cases}[language](400, Random(0))
    cases = {text for case in made for text in case.texts}
    small_words = [templates for name, templates in suite.labelled.items() if name != "polarity"]
    templates = [template for each in small_words for patterns in each.values() for template in patterns]
    assert len(templates) > 30
    patterns = [_pattern(template, suite.words) for template in templates]
    for text, _ in draw_sentences(GRAMMARS[language], COUNT, seed=0):
        assert text not in cases
        assert not [p.pattern for p in patterns if p.fullmatch(text)], text


def test_no_thing_of_the_suite_is_named(language: str) -> None:
    things = {thing for slot in ("thing", "story", "product", "place") for thing in SUITES[language].words[slot]}
    texts = " ".join(text.lower() for text, _ in draw_sentences(GRAMMARS[language], COUNT, seed=0))
    for thing in things:
        assert not re.search(rf"\b{thing}\b", texts), thing


def test_every_rule_can_be_used_and_gives_both_labels(language: str) -> None:
    grammar = GRAMMARS[language]
    for symbol, alternatives in grammar.rules.items():
        for alternative in alternatives:
            for name, mark in SYMBOL.findall(alternative):
                for sign in {"": "+-", "=": "+-", "~": "+-"}.get(mark, mark):
                    assert grammar.alternatives(name, sign), (symbol, alternative)
    labels = [label for _, label in draw_sentences(grammar, 1000, seed=1)]
    assert labels.count("positive") == labels.count("negative") == 500


def test_the_signs_are_carried_through() -> None:
    rules = {"TEXT": ("I deny that {S~}.",), "S": ("it is {A=}", "it is not {A~}"), "A+": ("good",), "A-": ("bad",)}
    found = {Grammar(rules).sentence("+", Random(seed)) for seed in range(20)}
    assert found == {"I deny that it is bad.", "I deny that it is not good."}


def test_a_grammar_without_enough_sentences_says_so() -> None:
    with pytest.raises(UsageError, match="only 2 different sentences, not 3"):
        draw_sentences(Grammar({"TEXT": ("{A=}",), "A+": ("good",), "A-": ("bad",)}), 3, seed=0)


def test_the_command_writes_what_mix_reads(tmp_path: Path) -> None:
    output = tmp_path / "contrast.parquet"
    call = ["contrast", "--language", "en", "--language", "zh", "--count", "50", "--output", str(output)]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    assert "wrote 100 sentences" in result.output
    table = pq.read_table(output)
    assert table.column_names == ["text", "label"]
    assert table.num_rows == 100
    mixed = CliRunner().invoke(main, ["mix", str(output), "--output", str(tmp_path / "mixed.parquet")])
    assert mixed.exit_code == 0, mixed.output
