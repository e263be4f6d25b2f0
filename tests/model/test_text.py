"""The text pipeline: what it splits, and that no string is beyond it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.text import CHARS_PER_TOKEN, TextEncoder, build_tokenizer, replace_surrogates, train_vocabulary

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


def _pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    assert tokenizer.normalizer is not None
    assert tokenizer.pre_tokenizer is not None
    normal = tokenizer.normalizer.normalize_str(text)
    spans = [span for _, span in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]
    return [normal[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Don’t you can't won't", ["do", "n't", "you", "ca", "n't", "wo", "n't"]),
        ("it 's it's we'll", ["it", "'s", "it", "'s", "we", "'ll"]),
        ("do n't", ["do", "n't"]),
        ("ain'ts 'tis n'the", ["ain", "'", "ts", "'", "tis", "n", "'", "the"]),
        ("这很好abc", ["这", "很", "好", "abc"]),
        ("ＧＯＯＤ！！ ﬁne", ["good", "!!", "fine"]),
        ("10/10 stars", ["10", "/", "10", "stars"]),
        ("wow!!! 😀👍🏽", ["wow", "!!!", "😀👍🏽"]),
        ("naïve Straße", ["naïve", "straße"]),
        ("\x00 \t\u3000", ["\x00"]),
    ],
)
def test_pieces(tokenizer: Tokenizer, text: str, pieces: list[str]) -> None:
    assert _pieces(tokenizer, text) == pieces


def test_case_can_be_kept() -> None:
    cased = train_vocabulary(build_tokenizer(lowercase=False), ["Good good GOOD"] * 3, vocab_size=600, min_frequency=2)
    good, lower, upper = (cased.encode(text).ids for text in ("Good", "good", "GOOD"))
    assert good != lower != upper != good


def test_frequent_words_are_one_token_and_rare_ones_several(encoder: TextEncoder) -> None:
    good, goods, rare = encoder.encode(["good", "goods", "goodliest"])
    assert (good.num_tokens, goods.num_tokens) == (1, 1)
    assert rare.num_tokens > 1


def test_every_byte_has_a_token_inside_and_at_the_end_of_a_piece(tokenizer: Tokenizer) -> None:
    from tokenizers import pre_tokenizers

    vocabulary = tokenizer.get_vocab()
    for byte in pre_tokenizers.ByteLevel.alphabet():
        assert byte in vocabulary
        assert byte + "</w>" in vocabulary
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


@settings(deadline=None, max_examples=300)
@given(ANY_TEXT)
def test_nothing_is_lost(tokenizer: Tokenizer, encoder: TextEncoder, text: str) -> None:
    """The tokens spell out, byte by byte, every piece of the text."""
    from tokenizers import pre_tokenizers

    clean = replace_surrogates(text)
    spelled = "".join(tokenizer.encode(clean).tokens).replace("</w>", "")
    assert tokenizer.normalizer is not None
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    wanted = "".join(mapped for piece in _pieces(tokenizer, clean) for mapped, _ in level.pre_tokenize_str(piece))
    assert spelled == wanted
    assert encoder.encode([text])[0].num_tokens <= 64


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
    assert megabyte.num_tokens == 64
    assert megabyte.ids.tolist() == page.ids.tolist()


def test_lone_surrogates_become_replacement_characters(encoder: TextEncoder) -> None:
    assert replace_surrogates("a\ud800b\udfff") == "a\ufffdb\ufffd"
    assert replace_surrogates("😀 fine") == "😀 fine"
    broken, replaced = encoder.encode(["good \ud800", "good \ufffd"])
    assert broken.ids.tolist() == replaced.ids.tolist()


def test_text_that_looks_like_a_token_is_only_text(tokenizer: Tokenizer) -> None:
    assert _pieces(tokenizer, "<pad>") == ["<", "pad", ">"]
    assert tokenizer.get_added_tokens_decoder() == {}


def test_the_same_texts_give_the_same_vocabulary() -> None:
    """The trainer's hash maps are seeded anew in each one; ten runs would show an order that depends on them."""
    made = {train_vocabulary(build_tokenizer(), TEXTS, vocab_size=650, min_frequency=1).to_str() for _ in range(10)}
    assert len(made) == 1


ASCII_TEXT = st.lists(
    st.sampled_from(
        ["don't", "n't", "can'", "'s", "isn'tx", "nn't", "a" * 64 + "n't", "a" * 70, "1" * 20, "!" * 20, "'", " "]
    )
    | st.text(st.characters(max_codepoint=127)),
    max_size=8,
).map("".join)


@given(ASCII_TEXT)
def test_ascii_texts_by_piece_are_as_by_the_pipeline(encoder: TextEncoder, text: str) -> None:
    plain = TextEncoder(encoder._tokenizer, max_tokens=encoder.max_tokens)
    plain._known = None
    (ours,), (theirs,) = encoder.encode([text]), plain.encode([text])
    assert (ours.ids.tolist(), ours.truncated) == (theirs.ids.tolist(), theirs.truncated)


def test_only_the_pipeline_that_is_known_goes_by_piece(tokenizer: Tokenizer) -> None:
    assert TextEncoder(tokenizer, max_tokens=8)._known is not None
    cased = train_vocabulary(build_tokenizer(lowercase=False), ["Some text"], vocab_size=600, min_frequency=1)
    assert TextEncoder(cased, max_tokens=8)._known is None
    changed = Tokenizer.from_str(tokenizer.to_str())
    changed.add_tokens(["film"])
    assert TextEncoder(changed, max_tokens=8)._known is None


def test_what_is_remembered_is_bounded(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.text.MAX_CACHED", 2)
    encoder = TextEncoder(tokenizer, max_tokens=64)
    first = encoder.encode(["one two three four"])
    assert encoder._known is not None
    assert len(encoder._known) == 2
    assert encoder.encode(["one two three four"])[0].ids.tolist() == first[0].ids.tolist()
