"""Surfaces of a text: the same words, written otherwise."""

import unicodedata
from random import Random

from training.data.contrast.surface import (
    TRADITIONAL,
    chatty,
    chinese_surface,
    english_surface,
    full_width,
    lengthen,
    shouted,
    traditional,
)


def test_the_two_scripts_are_told_apart_place_by_place() -> None:
    assert len(TRADITIONAL) > 2000
    assert all(chr(simple) != other for simple, other in TRADITIONAL.items())
    assert traditional("这台电脑的键盘坏了，后悔买它。", Random(0)) == "這台電腦的鍵盤壞了，後悔買它。"


def test_full_width_is_undone_by_unicode_s_compatibility_form() -> None:
    text = "Room 12, 3:45 (floor B)!"
    assert unicodedata.normalize("NFKC", full_width(text, Random(0))) == text
    assert full_width("12", Random(0)) == "１２"


def test_a_lengthened_word_repeats_one_letter() -> None:
    for seed in range(50):
        found = lengthen("so good", Random(seed))
        assert len(found) > len("so good")
        assert "".join(a for a, b in zip(found, " " + found, strict=False) if a != b) == "so god"
    assert lengthen("hm 12", Random(0)) == "hm 12"


def test_chats_and_shouts_differ_in_letter_case() -> None:
    assert chatty("It is Monday.", Random(0)) == "it is monday"
    assert chatty("今天星期一。", Random(0)) == "今天星期一"
    assert shouted("It is.", Random(0)) == "IT IS."


def test_most_texts_stay_as_they_are() -> None:
    english = [english_surface("The soup was not good.", Random(seed)) for seed in range(1000)]
    chinese = [chinese_surface("这碗汤不好喝，真的。", Random(seed)) for seed in range(1000)]
    assert 700 < english.count("The soup was not good.") < 900
    assert 600 < chinese.count("这碗汤不好喝，真的。") < 800
    assert {"the soup was not good", "THE SOUP WAS NOT GOOD."} <= set(english)
    assert {"這碗湯不好喝，真的。", "这碗汤不好喝 真的", "这碗汤不好喝,真的."} <= set(chinese)
