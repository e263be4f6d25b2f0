"""Token ids: the same alone and among others, by piece and by the pipeline, and never too many."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.checkpoint import load_checkpoint
from model.text import CHARS_PER_TOKEN, TextEncoder
from model.tokenizer import build_tokenizer, first_tokenizer, replace_surrogates, train_vocabulary

TEXTS = ["It's a good film, don't miss it!", "这部电影很好看，我喜欢。", "bad :( 10/10 😀", "goods and good"] * 5
ANY_TEXT = st.text(st.characters(codec=None), max_size=200) | st.text(
    alphabet="a𠀀é😀\u200d\ufe0f \x00\n'n't", max_size=200
)

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "sentiment"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_vocabulary(build_tokenizer(), TEXTS, vocab_size=700, min_frequency=2)


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> TextEncoder:
    return TextEncoder(tokenizer, max_tokens=64)


@pytest.fixture(scope="module")
def earlier() -> TextEncoder:
    """With the pipeline of checkpoints made until November 2026."""
    return TextEncoder(train_vocabulary(first_tokenizer(), TEXTS, vocab_size=700, min_frequency=2), max_tokens=64)


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


ASCII_TEXT = st.lists(
    st.sampled_from(
        ["don't", "n't", "can'", "'s", "isn'tx", "nn't", "a" * 64 + "n't", "a" * 70, "1" * 20, "!" * 20, "'", " "]
    )
    | st.text(st.characters(max_codepoint=127))
    | st.sampled_from(["nn", "sooo", "!!!!", "\x00", "\x1c", "\n", "NNN"]),
    max_size=8,
).map("".join)


@settings(max_examples=300)
@given(ASCII_TEXT, st.booleans())
def test_ascii_texts_by_piece_are_as_by_the_pipeline(
    encoder: TextEncoder, earlier: TextEncoder, text: str, new: bool
) -> None:
    ours = encoder if new else earlier
    plain = TextEncoder(ours._tokenizer, max_tokens=ours.max_tokens)
    plain._cutter = None
    (by_piece,), (by_pipeline,) = ours.encode([text]), plain.encode([text])
    assert (by_piece.ids.tolist(), by_piece.truncated) == (by_pipeline.ids.tolist(), by_pipeline.truncated)


def test_only_a_pipeline_that_is_known_goes_by_piece(tokenizer: Tokenizer) -> None:
    assert TextEncoder(tokenizer, max_tokens=8)._cutter is not None
    words = train_vocabulary(build_tokenizer(chinese_words=True), ["Some text"], vocab_size=600, min_frequency=1)
    assert TextEncoder(words, max_tokens=8)._cutter is not None
    assert TextEncoder(load_checkpoint(SHIPPED).tokenizer, max_tokens=8)._cutter is not None
    cased = train_vocabulary(build_tokenizer(lowercase=False), ["Some text"], vocab_size=600, min_frequency=1)
    assert TextEncoder(cased, max_tokens=8)._cutter is None
    changed = Tokenizer.from_str(tokenizer.to_str())
    changed.add_tokens(["film"])
    assert TextEncoder(changed, max_tokens=8)._cutter is None


def test_a_lengthened_word_is_not_remembered(tokenizer: Tokenizer) -> None:
    encoder = TextEncoder(tokenizer, max_tokens=64)
    long, short = encoder.encode(["Goooooood film!!!!!!!", "good film!!!"])
    assert long.ids.tolist() == short.ids.tolist()
    assert not [piece for piece in encoder._known if "ooo" in piece]


def test_what_is_remembered_is_bounded(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.text.MAX_CACHED", 2)
    encoder = TextEncoder(tokenizer, max_tokens=64)
    first = encoder.encode(["one two three four"])
    assert len(encoder._known) == 2
    assert encoder.encode(["one two three four"])[0].ids.tolist() == first[0].ids.tolist()
