"""Fingerprints of texts, sentences and n-grams agree where a slow comparison of strings does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.duplicates import normalised
from training.data.fingerprints import CHARACTERS, WORDS, batches, cut, fingerprints


def test_case_width_marks_and_spaces_do_not_count() -> None:
    found = fingerprints(
        ["It's GOOD!", "its good", "ｉｔｓ　ｇｏｏｄ", "its goods", "好看。", "好看", ":-)", ": - )", ":-("]
    )
    keys = found.text_N.tolist()
    assert keys[0] == keys[1] == keys[2]
    assert keys[4] == keys[5]
    assert keys[6] == keys[7]
    assert len(set(keys)) == 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abA 好,.!'\n", max_size=12), min_size=1, max_size=12))
def test_equal_fingerprints_are_equal_normalised_texts(texts: list[str]) -> None:
    keys = fingerprints(texts).text_N
    by_text = np.array([[normalised(a) == normalised(b) for b in texts] for a in texts])
    assert ((keys[:, None] == keys[None, :]) == by_text).all()


def test_sentences_and_their_lengths() -> None:
    text = "A fine film.<br />I do n't like it! 很好看。"
    assert cut(text) == ["A fine film.", "I do n't like it!", "很好看。"]
    found = fingerprints(["", text, "I don't like it"])
    assert found.sentence_text_S.tolist() == [1, 1, 1, 2]
    assert found.sentence_words_S.tolist() == [3, 4, 1.5, 4]
    assert found.words_N.tolist() == [0, 8.5, 4]
    assert found.sentence_S[1] == found.sentence_S[3]
    assert found.ngram_G.size == 0


def test_ngrams_of_words_and_of_characters() -> None:
    words = [f"w{n}" for n in range(15)]
    inside = fingerprints(["oh! " + " ".join(words[1:14]) + ", so", " ".join(words)])
    first, second = (inside.ngram_G[inside.ngram_text_G == text] for text in (0, 1))
    assert (len(first), len(second)) == (15 - WORDS + 1, 15 - WORDS + 1)
    assert np.intersect1d(first, second).size == 1
    characters = "一二三四五六七八九十甲乙丙丁戊己庚辛壬癸"
    assert len(characters) == CHARACTERS
    chinese = fingerprints([f"他说：{characters[:9]}，{characters[9:]}！", characters, characters[1:]])
    shared = chinese.ngram_G[chinese.ngram_text_G == 1]
    assert shared.size == 1
    assert shared[0] in chinese.ngram_G[chinese.ngram_text_G == 0]
    assert (chinese.ngram_text_G == 2).sum() == 0


def test_repetition_is_marked() -> None:
    found = fingerprints(["ha ha ha ha ha", "very good very good film", "no " * 12 + "yes"], varied=True)
    assert found.varied_S is not None
    assert found.varied_G is not None
    assert found.varied_S.tolist() == [1, 3, 2]
    assert found.varied_G.tolist() == [False]


def test_batches_cover_all_texts_in_order() -> None:
    texts = ["a" * 700_000, "b" * 700_000, "c", "d" * 2_000_000, "e"]
    parts = list(batches(texts))
    assert [texts[part] for part in parts] == [texts[:2], texts[2:4], texts[4:]]
    assert list(batches([])) == []
