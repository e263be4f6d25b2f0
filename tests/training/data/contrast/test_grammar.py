"""The grammar: how files become rules, and how a sentence is finished."""

from pathlib import Path
from random import Random

import pytest

from training.data.contrast import grammar
from training.data.contrast.grammar import Grammar


def test_a_symbol_stands_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "FOLDER", tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "a.toml").write_text('FACT = ["{day}"]\n', encoding="utf-8")
    (tmp_path / "some" / "b.toml").write_text('day = ["i came on Monday."]\n', encoding="utf-8")
    assert Grammar.load("some", capital=True).sentence("", Random(0)) == "I came on Monday."
    (tmp_path / "some" / "c.toml").write_text('day = ["Friday"]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"c\.toml repeats symbols of another file: day"):
        Grammar.load("some", capital=True)
    (tmp_path / "some" / "c.toml").write_text('"day+" = ["i came back."]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"c\.toml repeats symbols of another file: day"):
        Grammar.load("some", capital=True)


def test_a_table_gives_the_weights_of_alternatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "FOLDER", tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "text.toml").write_text('[TEXT]\n"often {A=}" = 3\n"seldom" = 1\n', encoding="utf-8")
    (tmp_path / "some" / "words.toml").write_text('"A+" = ["good"]\n"A-" = ["bad"]\n', encoding="utf-8")
    found = Grammar.load("some", capital=False)
    assert found.alternatives("TEXT", "+") == ["often {A=}"] * 3 + ["seldom"]
    assert {found.sentence("-", Random(seed)) for seed in range(20)} == {"often bad", "seldom"}


def test_one_of_the_words_of_a_place_is_drawn_and_symbols_among_them_are_read() -> None:
    rules = {"TEXT": ("the [soup|{pie}] was {A=}",), "pie": ("pie",), "A+": ("good [again|]",)}
    found = {Grammar(rules, capital=False).sentence("+", Random(seed)) for seed in range(40)}
    assert found == {f"the {dish} was good {end}" for dish in ("soup", "pie") for end in ("again", "")}


def test_the_files_of_a_language_may_lie_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "FOLDER", tmp_path)
    (tmp_path / "some" / "kind").mkdir(parents=True)
    (tmp_path / "some" / "text.toml").write_text('FACT = ["{day}"]\n', encoding="utf-8")
    (tmp_path / "some" / "kind" / "words.toml").write_text('day = ["Monday"]\n', encoding="utf-8")
    assert Grammar.load("some", capital=True).sentence("", Random(0)) == "Monday"


def test_english_sentences_begin_with_a_capital_and_have_the_right_article() -> None:
    rules = {"FACT": ("a old man and i saw a one. a cat, a ape. a ugly, unimpressed user of a unit and a umbrella",)}
    written = "An old man and I saw a one. A cat, an ape. An ugly, unimpressed user of a unit and an umbrella"
    assert Grammar(rules).sentence("", Random(0)) == written
    assert Grammar(rules, capital=False).sentence("", Random(0)) == rules["FACT"][0]
