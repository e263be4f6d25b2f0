"""The contrast sentences: labels that hold, both of them in every rule, and nothing of the robustness suite."""

import re
import unicodedata
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.data.contrast.draw import GRAMMARS, draw_language, draw_sentences
from training.data.contrast.grammar import OPPOSITE, SYMBOL, Grammar, Sign
from training.errors import UsageError
from training.evaluation.checklist.cases import Slots, Suite
from training.evaluation.checklist.chinese import CHINESE, chinese_cases
from training.evaluation.checklist.english import ENGLISH, english_cases
from training.evaluation.checklist.facts import STATEMENTS, fact_cases

COUNT = 10_000
SUITES: dict[str, Suite] = {"en": ENGLISH, "zh": CHINESE}


@pytest.fixture(scope="module", params=list(GRAMMARS))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def texts(language: str) -> list[str]:
    """Judgements and facts of a language as the grammar writes them, and as they are handed out."""
    grammar = GRAMMARS[language]
    written = draw_sentences(grammar, COUNT, seed=0) + draw_sentences(grammar, COUNT, seed=0, signs=("",))
    return [text for text, _ in written + draw_language(language, count=COUNT, neutral=COUNT, seed=1)]


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


def test_no_sentence_follows_a_template_of_the_suite_nor_is_one_of_its_cases(language: str, texts: list[str]) -> None:
    suite = SUITES[language]
    made = {"en": english_cases, "zh": chinese_cases}[language](400, Random(0)) + fact_cases(language)
    cases = {text.lower() for case in made for text in case.texts}
    small_words = [templates for name, templates in suite.labelled.items() if name != "polarity"]
    templates = [template for each in small_words for patterns in each.values() for template in patterns]
    assert len(templates) > 30
    patterns = [_pattern(template, suite.words) for template in templates]
    for text in texts:
        assert text.lower() not in cases
        assert not [p.pattern for p in patterns if p.fullmatch(text)], text


def test_no_sentence_has_the_frame_of_a_longer_template_whatever_fills_it(language: str, texts: list[str]) -> None:
    named = SUITES[language].labelled
    templates = [t for name in named if name != "polarity" for patterns in named[name].values() for t in patterns]
    fixed = {
        template: len(re.findall(r"[\w']+" if language == "en" else r"\w", re.sub(r"{\w+}", "", template)))
        for template in templates
    }
    longer = [template for template in templates if fixed[template] >= 5]
    assert len(longer) > 40
    frames = [re.escape(re.sub(r"{\w+}", "\0", template)).replace("\0", ".{1,24}") for template in longer]
    any_frame = re.compile("|".join(frames), re.IGNORECASE | re.DOTALL)
    assert [text for text in texts if any_frame.fullmatch(text)] == []


def test_no_sentence_has_the_frame_of_a_neutral_fact_of_the_suite(language: str, texts: list[str]) -> None:
    templates = STATEMENTS[language].templates
    frames = [re.escape(re.sub(r"{\w+}", "\0", template)).replace("\0", ".{1,24}") for template in templates]
    any_frame = re.compile("|".join(frames), re.IGNORECASE | re.DOTALL)
    assert any_frame.fullmatch(fact_cases(language)[0].texts[0])
    assert [text for text in texts if any_frame.fullmatch(text)] == []


def test_facts_of_the_suite_are_about_other_things(language: str) -> None:
    words = {word.lower() for alternatives in GRAMMARS[language].rules.values() for word in alternatives}
    asked = STATEMENTS[language].words
    assert {word.lower() for slot in asked if slot != "digit" for word in asked[slot]} & words == set()


def test_no_thing_of_the_suite_is_named(language: str, texts: list[str]) -> None:
    things = {thing for slot in ("thing", "story", "product", "place") for thing in SUITES[language].words[slot]}
    together = "\n".join(texts).lower()
    assert [thing for thing in things if re.search(rf"\b{thing}\b", together)] == []


def _signs_after(mark: str, sign: Sign) -> Sign:
    signs: dict[str, Sign] = {"": sign, "=": sign, "~": OPPOSITE[sign], "+": "+", "-": "-"}
    return signs[mark]


def test_every_rule_can_be_used_and_every_symbol_is_reached(language: str) -> None:
    grammar = GRAMMARS[language]
    reached: set[tuple[str, Sign]] = set()
    left: list[tuple[str, Sign]] = [("TEXT", "+"), ("TEXT", "-"), ("FACT", "")]
    while left:
        symbol, sign = left.pop()
        if (symbol, sign) not in reached:
            reached.add((symbol, sign))
            for alternative in grammar.alternatives(symbol, sign):
                left += [(name, _signs_after(mark, sign)) for name, mark in SYMBOL.findall(alternative)]
    named = {symbol for symbol, _ in reached} | {symbol + sign for symbol, sign in reached}
    assert set(grammar.rules) - named == set()


def test_the_shares_of_the_kinds_are_percent_and_none_fills_the_file(language: str) -> None:
    kinds = GRAMMARS[language].rules["TEXT"]
    assert len(kinds) == 100
    assert max(kinds.count(kind) for kind in set(kinds)) <= 15
    assert len(set(kinds)) > 20


def test_there_are_as_many_of_each_label(language: str) -> None:
    labels = [label for _, label in draw_sentences(GRAMMARS[language], 1000, seed=1)]
    assert labels.count("positive") == labels.count("negative") == 500


def test_facts_are_of_hundreds_of_frames_and_tens_of_thousands_of_sentences(language: str) -> None:
    rules = GRAMMARS[language].rules
    kinds = {name for alternative in rules["Fact"] for name, _ in SYMBOL.findall(alternative)}
    assert sum(len(rules[kind]) for kind in kinds) > 400
    facts = draw_sentences(GRAMMARS[language], 20_000, seed=3, signs=("",))
    assert {label for _, label in facts} == {"neutral"}


def test_a_language_without_neutral_has_judgements_only(language: str) -> None:
    assert {label for _, label in draw_language(language, count=100, neutral=0, seed=0)} == {"positive", "negative"}
    both = draw_language(language, count=100, neutral=50, seed=0)
    assert [label for _, label in both].count("neutral") == 50
    assert both == draw_language(language, count=100, neutral=50, seed=0)


def test_an_emoji_alone_judges_a_plain_statement(language: str) -> None:
    rules = GRAMMARS[language].rules
    assert not set(rules["E+"]) & set(rules["E-"])
    assert not set(rules["K+"]) & set(rules["K-"])
    names = {sign: [unicodedata.name(face[0]) for face in rules["E" + sign]] for sign in "+-"}
    blame = re.compile("ANGRY|CRYING|POUTING|WEARY|BROKEN|DISAPPOINTED|VOMITING|NAUSEATED|THUMBS DOWN|CONFOUNDED")
    praise = re.compile("SMILING|GRINNING|CLAPPING|THUMBS UP|PARTY|STAR|TROPHY|SPARKL|DELICIOUS")
    assert [name for name in names["+"] if blame.search(name)] == []
    assert [name for name in names["-"] if praise.search(name)] == []


def test_the_signs_are_carried_through() -> None:
    rules = {"TEXT": ("I deny that {S~}.",), "S": ("it is {A=}", "it is not {A~}"), "A+": ("good",), "A-": ("bad",)}
    found = {Grammar(rules).sentence("+", Random(seed)) for seed in range(20)}
    assert found == {"I deny that it is bad.", "I deny that it is not good."}


def test_a_grammar_without_enough_sentences_says_so() -> None:
    with pytest.raises(UsageError, match="only 2 different sentences, not 3"):
        draw_sentences(Grammar({"TEXT": ("{A=}",), "A+": ("good",), "A-": ("bad",)}), 3, seed=0)


def test_the_command_writes_what_mix_reads(tmp_path: Path) -> None:
    output = tmp_path / "contrast.parquet"
    call = [
        "contrast",
        "--language",
        "en",
        "--language",
        "zh",
        "--count",
        "50",
        "--neutral",
        "20",
        "--output",
        str(output),
    ]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    assert "wrote 140 sentences" in result.output
    table = pq.read_table(output)
    assert table.column_names == ["text", "label"]
    assert table["label"].to_pylist().count("neutral") == 40
    assert table.num_rows == 140
    mixed = CliRunner().invoke(main, ["mix", str(output), "--output", str(tmp_path / "mixed.parquet")])
    assert mixed.exit_code == 0, mixed.output
