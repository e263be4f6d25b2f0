"""Whether a run starts from the shipped encoder follows from its texts."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from training.config.layers import ENCODER
from training.config.request import CallOptions, Request
from training.data.coverage import MOST_TOKENS_PER_WORD, tokens_per_word
from training.runs.start_choice import choose_start

KNOWN = [
    "The film was too long, but the actors were great!",
    "这家餐厅的菜很好吃，服务也不错",
    "order #4711 never arrived 😡",
]
FOREIGN = ["Das Produkt ist leider schon nach zwei Wochen kaputt gegangen", "Очень плохое качество, деньги на ветер"]


def request(**options: object) -> Request:
    call = {"output": Path("m"), "data_root": Path(), "train_file": Path("a.csv"), "adapt": True} | options
    return CallOptions(**call).request()  # type: ignore[arg-type]


@pytest.mark.parametrize("text", KNOWN)
def test_english_and_chinese_texts_start_from_the_encoder(text: str) -> None:
    found, said = choose_start(request(), [text] * 20)
    assert found.config.start == str(ENCODER)
    assert (found.config.loop.layer_decay, found.config.loop.epochs) == (0.7, 5)
    assert found.with_encoder is None
    assert "starts from encoder" in said
    assert "--start none" in said


@pytest.mark.parametrize("text", FOREIGN)
def test_texts_of_other_languages_do_not(text: str) -> None:
    found, said = choose_start(request(), [text])
    assert found.config.start is None
    assert found.config.loop.layer_decay == 1
    assert "starts at random" in said


def test_texts_without_words_start_there_too() -> None:
    tokenizer = Tokenizer.from_file(str(ENCODER / "tokenizer.json"))
    assert tokens_per_word(["12 34 !!"], tokenizer) == 0
    assert "(the texts have no words)" in choose_start(request(), ["12 34 !!"])[1]
    assert tokens_per_word(FOREIGN, tokenizer) > MOST_TOKENS_PER_WORD


def test_an_option_decides_before_the_texts() -> None:
    assert request(start="none").with_encoder is None
    assert request(start="none").config.start is None
    assert request(settings=("architecture.hidden_size=8",)).with_encoder is None
    assert request(recipe="sst2").with_encoder is None
    assert request(adapt=False).with_encoder is None
    assert request(settings=("loop.epochs=7",)).budget_s is None
    assert request(settings=("loop.epochs=7",), budget_s=60.0).budget_s == 60
    assert request(recipe="sst2").budget_s is None
    said = choose_start(request(start="none"), KNOWN)
    assert said == (request(start="none"), "")
