"""Every character and every script's letters are among the strings."""

import random
import unicodedata

import pytest
from tokenizers import Tokenizer

from benchmarks.lib import made_strings
from benchmarks.lib.made_strings import Strings
from benchmarks.lib.shipped import SHIPPED
from model.checkpoint import TOKENIZER


@pytest.fixture(scope="module")
def strings() -> Strings:
    return Strings([], Tokenizer.from_file(str(SHIPPED / TOKENIZER)), seed=0)


def test_every_character_comes_alone_first(strings: Strings) -> None:
    last, every = (0x110000 - 0x800) // made_strings.BLOCK, made_strings.every_character()
    assert len(every) == 0x110000 - 0x800
    assert strings.characters(random.Random(0), 0) == list(every[: made_strings.BLOCK])
    turning = strings.characters(random.Random(0), last)
    assert turning[: len(every) % made_strings.BLOCK] == list(every[last * made_strings.BLOCK :])
    assert turning[-1].startswith("a")
    assert turning[-1].endswith("b")


def test_letters_of_each_script_have_64_marks_of_any_script(strings: Strings) -> None:
    made = strings.marks(random.Random(0), 0)
    heavy = {text[0] for text in made if sum(map(bool, map(unicodedata.combining, text))) == 64}
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in heavy}
    assert scripts >= {"LATIN", "GREEK", "THAI", "GEORGIAN", "HANGUL", "CJK", "RUNIC", "TIBETAN", "ADLAM"}
    assert len(scripts) > 150
    marks = {character for text in made for character in text if unicodedata.combining(character)}
    assert len(marks) > 900
    assert strings.marks(random.Random(0), 1) != made


def test_a_block_depends_on_seed_and_number_alone(strings: Strings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_strings, "BLOCK", 16)
    kinds = [strings.block(number) for number in range(6)]
    assert [kind for kind, _ in kinds] == ["characters", "cuttings", "mutated", "characters", "vocabulary", "marks"]
    assert strings.block(2) == kinds[2] != strings.block(8)
