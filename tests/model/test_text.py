"""Token ids: the same alone and among others, by the library and by the pipeline, and never too many."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.text import CHARS_PER_TOKEN, TOGETHER, TextEncoder
from model.tokenizer import build_tokenizer, replace_surrogates, train_vocabulary

TEXTS = ["It's a good film, don't miss it!", "这部电影很好看，我喜欢。", "bad :( 10/10 😀", "goods and good"] * 5
ANY_TEXT = st.text(st.characters(codec=None), max_size=200) | st.text(
    alphabet="a𠀀é😀\u200d\ufe0f \x00\n'n't", max_size=200
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_vocabulary(build_tokenizer(), TEXTS, vocab_size=700, min_frequency=2)


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> TextEncoder:
    return TextEncoder(tokenizer, max_tokens=64)


def test_frequent_words_are_one_token_and_rare_ones_several(encoder: TextEncoder) -> None:
    good, goods, rare = encoder.encode(["good", "goods", "goodliest"])
    assert (good.num_tokens, goods.num_tokens) == (1, 1)
    assert rare.num_tokens > 1


@settings(deadline=None, max_examples=50)
@given(st.lists(ANY_TEXT, max_size=6))
def test_a_text_encodes_the_same_alone_and_among_others(encoder: TextEncoder, texts: list[str]) -> None:
    for text, among in zip(texts, encoder.encode(texts), strict=True):
        alone = encoder.encode([text])[0]
        assert alone.ids.tolist() == among.ids.tolist()
        assert alone.truncated == among.truncated


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000 \u200a", "\r\n"])
def test_blank_text_has_no_tokens(encoder: TextEncoder, text: str) -> None:
    (encoded,) = encoder.encode([text])
    assert encoded.num_tokens == 0
    assert not encoded.truncated


def test_truncation_keeps_the_start_and_says_so(encoder: TextEncoder) -> None:
    short, exact, long = encoder.encode(["good " * 3, "good " * 64, "good " * 65])
    assert [short.truncated, exact.truncated, long.truncated] == [False, False, True]
    assert exact.ids.tolist() == long.ids.tolist()


def test_a_text_cut_before_tokenising_is_truncated(encoder: TextEncoder) -> None:
    (encoded,) = encoder.encode(["good" + " " * (64 * CHARS_PER_TOKEN) + "bad"])
    assert encoded.truncated
    assert encoded.num_tokens == 1


@pytest.mark.parametrize("letter", ["a", "很", "😀", "\u0301", "!", "7", "'"])
def test_a_megabyte_is_cut_to_a_page_before_it_is_tokenised(encoder: TextEncoder, letter: str) -> None:
    megabyte, page = encoder.encode([letter * 1_000_000, letter * (64 * CHARS_PER_TOKEN)])
    assert megabyte.truncated
    assert 0 < megabyte.num_tokens <= 64
    assert megabyte.ids.tolist() == page.ids.tolist()


def test_lone_surrogates_become_replacement_characters(encoder: TextEncoder) -> None:
    assert replace_surrogates("a\ud800b\udfff") == "a\ufffdb\ufffd"
    assert replace_surrogates("😀 fine") == "😀 fine"
    broken, replaced = encoder.encode(["good \ud800", "good \ufffd"])
    assert broken.ids.tolist() == replaced.ids.tolist()


def test_only_a_pipeline_that_is_known_goes_by_the_library(tokenizer: Tokenizer) -> None:
    cased = train_vocabulary(build_tokenizer(lowercase=False), ["Some text"], vocab_size=600, min_frequency=1)
    changed = Tokenizer.from_str(tokenizer.to_str())
    changed.add_tokens(["film"])
    for other in (cased, changed):
        assert TextEncoder(other, max_tokens=8)._native is None
        assert TextEncoder(other, max_tokens=8).encode(["A film \ud800"])[0].num_tokens > 1


def test_the_pipeline_answers_where_there_is_no_library(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["A good film", "", "这部电影", "e\u0301\u0323", "good \ud83d\ude00 \ud800", "good " * 65, " " * 3000 + "x"]
    usual = TextEncoder(tokenizer, max_tokens=64).encode(texts)
    monkeypatch.setattr("model.native_text.library", lambda: None)
    for ours, theirs in zip(usual, TextEncoder(tokenizer, max_tokens=64).encode(texts), strict=True):
        assert (ours.ids.tolist(), ours.truncated) == (theirs.ids.tolist(), theirs.truncated)


def test_very_many_texts_are_encoded_like_few(encoder: TextEncoder) -> None:
    texts = [f"good film {number}" for number in range(2 * TOGETHER + 1)]
    found = encoder.encode(texts)
    assert len(found) == len(texts)
    for place in (0, TOGETHER - 1, TOGETHER, 2 * TOGETHER):
        assert found[place].ids.tolist() == encoder.encode([texts[place]])[0].ids.tolist()
    held = found[0].ids.base
    assert held is not None
    assert held.nbytes <= 4 * sum(text.num_tokens for text in found[:TOGETHER])
