"""Training texts that give away held-out ones are found, and stock phrases are let through."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.leaks import HeldOut

REVIEW = (
    "The plot follows two brothers who open a bakery in Lyon. I highly recommend this film. The second half drags "
    "badly and the jokes about bread, flour and ovens fall flat because nobody on this crew can bake."
)
CHINESE = "这家酒店离地铁站不远。前台的服务员态度很冷淡，房间里的空调整晚都在响，早餐只有白粥和咸菜。"


def _leaks(held_out: str, text: str) -> bool:
    (found,) = HeldOut({"a/test": [held_out]}).leaking([text]).tolist()
    return bool(found)


@pytest.mark.parametrize(
    ("held_out", "text", "expected"),
    [
        ("Good.", "good", True),
        ("Good.", "A good film", False),
        (REVIEW, "the second half DRAGS badly and the jokes about bread, flour and ovens fall flat, they say.", True),
        (REVIEW, "The jokes about bread, flour and ovens fall flat because nobody agrees", False),
        (
            REVIEW,
            "I was bored. The plot follows two brothers who open a bakery in Lyon! It is long and it is dull",
            True,
        ),
        (REVIEW, "I highly recommend this film.", True),
        (REVIEW, "Set in Peru, it is a love story with a goat in it. I highly recommend this film.", False),
        ("I highly recommend this film.", "Set in Peru, it has a goat. I highly recommend this film. Go!", True),
        ("He left. So it goes.", "She left and never came back to the old house. So it goes.", False),
        (CHINESE, "房间里的空调整晚都在响，早餐只有白粥和咸菜，不推荐", True),
        (CHINESE, "房间里的空调整晚都在响，早餐还行", False),
        (CHINESE, "这家酒店离地铁站不远。", True),
        ("ha ha ha ha ha ha ha. Nice", "ha ha ha ha ha ha ha!", False),
        ("哈" * 30 + "好", "哈" * 40, False),
        ("it did n't do what it 's meant to do", "So: no. It didn't do what it's meant to do. Yes.", True),
    ],
)
def test_what_is_a_leak(held_out: str, text: str, expected: bool) -> None:
    assert _leaks(held_out, text) == expected


def test_no_held_out_texts_and_no_texts() -> None:
    assert HeldOut({}).leaking(["a film that nobody has seen yet"]).tolist() == [False]
    assert HeldOut({"a/test": [REVIEW]}).leaking([]).tolist() == []


WORDS = ("a", "fine", "film", "with", "no", "plot", "好", "看", "not")
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
TEXT = st.lists(SENTENCE, min_size=1, max_size=4).map(". ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8), st.lists(TEXT, min_size=1, max_size=8))
def test_a_batch_finds_what_its_texts_find_alone(held_out: list[str], texts: list[str]) -> None:
    index = HeldOut({"a/test": held_out})
    alone = [any(_leaks(held, text) for held in held_out) for text in texts]
    assert index.leaking(texts).tolist() == alone


def test_files_of_one_name_in_folders_of_one_name_are_all_kept_out(tmp_path: Path) -> None:
    """As public sets are laid out: each has a folder `data` with a file for each split."""
    paths = [tmp_path / name / "data" / "test.csv" for name in ("a", "b")]
    for path, text in zip(paths, ("a text of the first", "another of the second"), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(f"text,label\n{text},x\n", encoding="utf-8")
    held_out = HeldOut.read([*paths, paths[0]], text_column=None)
    assert held_out.names == ("a/data/test.csv", "b/data/test.csv")
    assert held_out.leaking(["a text of the first", "another of the second", "a third"]).tolist() == [True, True, False]
