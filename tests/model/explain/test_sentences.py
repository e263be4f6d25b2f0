"""Where sentences end, on a list of cases; and that the spans part any text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.explain.sentences import split_sentences


@pytest.mark.parametrize(
    "parted",
    [
        # plain
        "It was good. |It was bad! |Was it?",
        "no stop at the end",
        "it 's a film . |i like it .",
        "lower case. |goes on.",
        "Really?! |Yes!!!",
        # numbers
        "It costs 3.5 yuan. |Version 2.0.1 is out.",
        "See No. 5 and fig. 3. |Is it? |No. |Never.",
        "1. First thing. |2. Second thing.",
        # abbreviations and initials
        "Mr. Wu and Dr. Li met Prof. J. R. Smith. |They ate.",
        "He came at 5 p.m. and left. |At 6 p.m. |She came.",
        "The U.S. army, e.g. its generals, i.e. them.",
        "Films, books, etc. and so on. |Films, etc. |Then books.",
        "Apple Inc. is big. |I own Apple Inc.",
        "It was I. |Then he left.",
        "See example.com or a.b.",
        # ellipses
        "Well... maybe. |Wait... |What?",
        "good . . . bad . |Yes",
        "Oh… no. |Oh… |No.",
        "好吧……算了。|真的...不行",
        # quotes and brackets
        'He said "Go." |She went.',
        'He asked "Why?" and left. |"Why?" he asked.',
        "(It was late.) |[He left!] |Then nothing.",
        "“Fine.” |‘Good.’ |Next",
        "“真的？”|他问。|我说：“好。”，然后走了。|「行。」|（完。）|走",
        # Chinese
        "这很好。|不贵！|真的？！|是的；|好",
        "很好！！！|３．５元。|So good!!!|这个不行.|好",
        # lines
        "A\n|B\r\n|C\u2028|D\n\n\n|E.\n|F",
        # parts without words
        "Great! |😀 Loved it.",
        "Great!\n😀👍\n|Loved it",
        "Great! ...",
        "...And then? |Ok",
        "😀",
        "...",
    ],
)
def test_sentences_end_at_the_bars(parted: str) -> None:
    text = parted.replace("|", "")
    found = [text[start:end] for start, end in split_sentences(text)]
    assert found == [piece.strip() for piece in parted.split("|")]


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_white_space_has_no_sentence(text: str) -> None:
    assert split_sentences(text) == []


@given(st.text(st.one_of(st.sampled_from(" .!?…。；\"'”)\n\raA1Mr这😀"), st.characters())))
def test_sentences_part_the_text(text: str) -> None:
    spans = split_sentences(text)
    last = 0
    for start, end in spans:
        assert text[last:start].strip() == ""
        assert text[start:end] == text[start:end].strip() != ""
        last = end
    assert text[last:].strip() == ""


@pytest.mark.parametrize("unit", [".", ". ", "!) ", "mr. ", "1. ", "😀!", "\n", '."', "。”，"])
def test_no_text_takes_long(unit: str) -> None:
    text = unit * 10_000 + "a"
    began = time.process_time()
    split_sentences(text)
    assert time.process_time() - began < 2
