"""Tokens are those of `TextEncoder`, and every character of the text as it was sent belongs to one."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model.checkpoint import load_checkpoint
from model.explain.offsets import Aligner
from model.text import TextEncoder
from model.tokenizer import build_tokenizer, train_vocabulary
from tests.conftest import TEXTS

TOKENIZER = train_vocabulary(build_tokenizer(), TEXTS, vocab_size=600, min_frequency=1)
CHINESE = train_vocabulary(build_tokenizer(chinese_words=True), ["很好看，电影"] * 9, vocab_size=600, min_frequency=1)
CASED = train_vocabulary(build_tokenizer(lowercase=False), TEXTS, vocab_size=600, min_frequency=1)

SHIPPED = Path(__file__).parents[3] / "checkpoints" / "sentiment"

AWKWARD = (
    "a Film don't. \n 这😀½ﬁ㎏İ\u0301\u0316\u0344\u00b4\u1100\u1161\u11a8\ufdfa\x1c\x85\u200b\ufeff\u2003\ud83d\ude00"
)
CHARACTERS = st.one_of(
    st.characters(),
    st.sampled_from(AWKWARD),
    st.characters(categories=["Cs"]),
    st.characters(categories=["Mn", "Mc", "Me"]),
)


@given(st.text(CHARACTERS, max_size=40), st.sampled_from([TOKENIZER, CASED, CHINESE]), st.sampled_from([1, 3, 200]))
def test_every_text_is_covered_by_the_tokens_that_are_read(text: str, tokenizer: Tokenizer, max_tokens: int) -> None:
    (encoded,) = TextEncoder(tokenizer, max_tokens=max_tokens).encode([text])
    aligned = Aligner(tokenizer, max_tokens=max_tokens).align(text)
    assert aligned.ids.tolist() == encoded.ids.tolist()
    assert aligned.truncated == encoded.truncated
    assert len(aligned.spans) == encoded.num_tokens
    assert all(0 <= start < end <= len(text) for start, end in aligned.spans)
    for (start, end), (next_start, next_end) in pairwise(aligned.spans):
        assert start <= next_start
        assert end <= next_end
    covered = {place for start, end in aligned.spans for place in range(start, end)}
    read = aligned.end if aligned.truncated else len(text)
    assert not covered or not [text[i] for i in range(read) if i not in covered and not text[i].isspace()]
    assert [token for word in aligned.words for token in word] == list(range(len(aligned.ids)))
    borders = [(aligned.spans[word.start][0], aligned.spans[word.stop - 1][1]) for word in aligned.words]
    assert all(end <= start for (_, end), (start, _) in pairwise(borders)), "words overlap"


def _words(text: str) -> list[str]:
    aligned = Aligner(TOKENIZER, max_tokens=200).align(text)
    return [text[aligned.spans[word.start][0] : aligned.spans[word.stop - 1][1]] for word in aligned.words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  A good\tfilm, really!! ", ["A", "good", "film", ",", "really", "!!"]),
        ("Don’t; it's", ["Do", "n’t", ";", "it", "'s"]),
        ("很好 film看", ["很", "好", "film", "看"]),
        ("ﬁlm ㎏ x²", ["ﬁlm", "㎏", "x", "²"]),
        ("½ ﷺ", ["½", "ﷺ"]),  # "1", a slash and "2"; four words
        ("cafe\u0301 e\u0301\u0316\u0301!", ["cafe\u0301", "e\u0301\u0316\u0301", "!"]),
        ("\u1112\u1161\u11ab", ["\u1112\u1161\u11ab"]),  # a Hangul syllable in three parts
        ("ok 👍🏽😀", ["ok", "👍🏽😀"]),
        ("a\ud83d\ude00b \ud800c", ["a", "\ud83d\ude00", "b", "\ud800", "c"]),  # a pair in two code points, a lone half
        ("\ufefffilm \u200b", ["\ufefffilm \u200b"]),  # what nobody sees belongs to the word beside it
        ("\u200b", []),
        ("goooood fi\u00adlm", ["goooood", "fi\u00adlm"]),
        ("", []),
        (" \n", []),
    ],
)
def test_words_are_the_pieces_of_the_text_as_it_was_sent(text: str, words: list[str]) -> None:
    assert _words(text) == words


def test_a_run_of_chinese_characters_has_several_words() -> None:
    text = "很好看电影"
    aligned = Aligner(CHINESE, max_tokens=200).align(text)
    words = [text[aligned.spans[word.start][0] : aligned.spans[word.stop - 1][1]] for word in aligned.words]
    assert words == ["很好看", "电影"]


def test_tokens_of_one_character_all_have_it() -> None:
    aligned = Aligner(TOKENIZER, max_tokens=200).align("x 💩")
    assert len(aligned.ids) > 2
    assert aligned.spans[1:] == [(2, 3)] * (len(aligned.ids) - 1)
    assert aligned.words == [range(1), range(1, len(aligned.ids))]


def test_a_long_text_ends_where_reading_ended() -> None:
    aligned = Aligner(TOKENIZER, max_tokens=3).align("  good good film, and more")
    assert (aligned.truncated, aligned.end) == (True, 16)
    assert Aligner(TOKENIZER, max_tokens=3).align("").end == 0


def test_the_shipped_tokenizer_aligns() -> None:
    text = "Gripping — never lets go. 不错"
    aligned = Aligner(load_checkpoint(SHIPPED).tokenizer, max_tokens=200).align(text)
    pieces = [text[start:end] for start, end in aligned.spans]
    assert "".join(pieces) == text.replace(" ", "")
    assert pieces[-2:] in (["不", "错"], [".", "不错"])  # Chinese characters or words
