"""The pipeline: what it removes, what it splits, and that no string is beyond it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers

from model.tokenizer import build_tokenizer, replace_surrogates, train_vocabulary

TEXTS = ["It's a good film, don't miss it!", "这部电影很好看，我喜欢。", "bad :( 10/10 😀", "goods and good"] * 5
ANY_TEXT = st.text(st.characters(codec=None), max_size=200) | st.text(
    alphabet="a𠀀é😀\u200d\ufe0f \x00\n'n't", max_size=200
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_vocabulary(build_tokenizer(), TEXTS, vocab_size=700, min_frequency=2)


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
        ("\x00 \t\u3000", []),
    ],
)
def test_pieces(tokenizer: Tokenizer, text: str, pieces: list[str]) -> None:
    assert _pieces(tokenizer, text) == pieces


def test_chinese_characters_can_stay_together() -> None:
    words = train_vocabulary(
        build_tokenizer(chinese_words=True), ["很好abc很", "很好"] * 3, vocab_size=600, min_frequency=2
    )
    assert _pieces(words, "这很好abc很") == ["这很好", "abc", "很"]
    assert len(words.encode("很好").ids) == 1


@pytest.mark.parametrize(
    ("seen", "same_as"),
    [
        ("go\u200bod", "good"),
        ("\ufeffgood", "good"),
        ("go\u00adod \u202efilm\u202c", "good film"),
        ("\u2066good\u2069 \u200efilm\u200f", "good film"),
        ("go\u200dod go\u200cod", "good good"),
        ("很\u200b好\u2060看", "很好看"),
        ("go\x00od\x07 \x7ffilm", "good film"),
        ("good\u034f\u3164", "good"),
        ("❤\ufe0f", "❤"),
        ("😀\u200d good", "😀 good"),
        ("SOOOOoooo GOOOD!!!!!!!", "soo good!!!"),
        ("............ ----", "... ---"),
        ("好好好好好看", "好好看"),
        ("😂😂😂😂😂😂", "😂😂😂"),
    ],
)
def test_what_nobody_sees_and_what_is_lengthened_makes_no_difference(seen: str, same_as: str) -> None:
    normalizer = build_tokenizer().normalizer
    assert normalizer is not None
    assert normalizer.normalize_str(seen) == normalizer.normalize_str(same_as) == same_as


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d🚀",
        "🤦🏽\u200d♀",
        "line\none\ttwo",
        "1000000",
        "good!! cool... 哈哈",
        "e\u0301\u0301\u0301",
    ],
)
def test_what_has_a_meaning_stays(text: str) -> None:
    normalizer = build_tokenizer().normalizer
    assert normalizer is not None
    assert normalizer.normalize_str(text).replace("é", "e\u0301") == text


def test_case_can_be_kept() -> None:
    cased = train_vocabulary(build_tokenizer(lowercase=False), ["Good good GOOD"] * 3, vocab_size=600, min_frequency=2)
    good, lower, upper = (cased.encode(text).ids for text in ("Good", "good", "GOOD"))
    assert good != lower != upper != good


def test_every_byte_has_a_token_inside_and_at_the_end_of_a_piece(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.get_vocab()
    for byte in pre_tokenizers.ByteLevel.alphabet():
        assert byte in vocabulary
        assert byte + "</w>" in vocabulary
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


@settings(deadline=None, max_examples=100)
@given(ANY_TEXT)
def test_nothing_is_lost(tokenizer: Tokenizer, text: str) -> None:
    """The tokens spell out, byte by byte, every piece of the text."""
    clean = replace_surrogates(text)
    spelled = "".join(tokenizer.encode(clean).tokens).replace("</w>", "")
    assert tokenizer.normalizer is not None
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    wanted = "".join(mapped for piece in _pieces(tokenizer, clean) for mapped, _ in level.pre_tokenize_str(piece))
    assert spelled == wanted


def test_text_that_looks_like_a_token_is_only_text(tokenizer: Tokenizer) -> None:
    assert _pieces(tokenizer, "<pad>") == ["<", "pad", ">"]
    assert tokenizer.get_added_tokens_decoder() == {}


def test_the_same_texts_give_the_same_vocabulary() -> None:
    """The trainer's hash maps are seeded anew in each one; ten runs would show an order that depends on them."""
    made = {train_vocabulary(build_tokenizer(), TEXTS, vocab_size=650, min_frequency=1).to_str() for _ in range(10)}
    assert len(made) == 1
