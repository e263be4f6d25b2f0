"""Texts are parted into training and validation, and cut into windows."""

import json
from pathlib import Path

import numpy as np
import pytest

from tables.errors import TableError
from training.data.tokenizer import TokenizerConfig, train_tokenizer
from training.errors import UsageError
from training.language_model.config import PretrainConfig
from training.language_model.texts import Windows, read_texts, set_apart, windows
from training.provenance import file_digest

TEXTS = [f"text {i}" for i in range(500)]


def write(path: Path, *texts: str | None) -> str:
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
    return str(path)


def test_about_the_fraction_is_set_apart_whatever_the_order_and_the_company() -> None:
    train, validation = set_apart(TEXTS, 0.1)
    assert 30 <= len(validation) <= 70
    assert sorted(train + validation) == sorted(TEXTS)
    other_train, other_validation = set_apart([*reversed(TEXTS), *(f"more {i}" for i in range(500))], 0.1)
    assert set(train) <= set(other_train)
    assert [text for text in other_validation if text in TEXTS] == validation


def test_texts_equal_but_for_case_stay_together() -> None:
    train, validation = set_apart([*TEXTS, *(text.upper() + "!" for text in TEXTS)], 0.2)
    assert {text.lower().rstrip("!") for text in train}.isdisjoint(text.lower().rstrip("!") for text in validation)


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_neither_side_is_empty(fraction: float) -> None:
    train, validation = set_apart(["a", "b", "c"], fraction)
    assert sorted(train + validation) == ["a", "b", "c"]
    assert min(len(train), len(validation)) == 1
    with pytest.raises(UsageError, match="too few different texts"):
        set_apart(["a film", "A film."], fraction)


def test_each_text_once_and_none_that_is_withheld(tmp_path: Path) -> None:
    config = PretrainConfig(
        texts=(write(tmp_path / "a.jsonl", "one", "two", None, "one"), write(tmp_path / "b.jsonl", "two", "three")),
        without=(write(tmp_path / "test.jsonl", "Three!"),),
        vocabulary=(write(tmp_path / "more.jsonl", "four", "three"),),
    )
    texts = read_texts(config)
    assert sorted(texts.train + texts.validation) == ["one", "two"]
    assert (texts.vocabulary, texts.num_withheld) == (["four"], 1)
    assert list(texts.files) == ["texts 1", "texts 2", "without 1", "vocabulary 1"]
    assert texts.files["texts 1"].rows == 3
    assert texts.files["without 1"].sha256 == file_digest(tmp_path / "test.jsonl")
    assert texts.files["without 1"].file == "test.jsonl"


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name at least one"):
        read_texts(PretrainConfig())
    with pytest.raises(TableError, match="no column 'review'"):
        read_texts(PretrainConfig(texts=(write(tmp_path / "a.jsonl", "one"),), text_column="review"))


def test_long_texts_are_parted_and_single_tokens_left_out() -> None:
    tokenizer = train_tokenizer(TokenizerConfig(vocab_size=513), [])
    cut = windows(["abcdefg", "a", "", "abcd"], tokenizer, 3)
    assert [len(window) for window in cut.ids] == [3, 3, 3]
    whole = windows(["abcdefg"], tokenizer, 100).ids[0]
    np.testing.assert_array_equal(np.concatenate(cut.ids[:2]), whole[:6])
    assert len(windows(["ab " * 5000], tokenizer, 10**6).ids[0]) == 10_000


def test_a_window_knows_the_text_that_it_is_the_whole_of() -> None:
    tokenizer = train_tokenizer(TokenizerConfig(vocab_size=513), [])
    cut = windows(["a", "abcdefg", "ab", "abc"], tokenizer, 3)
    assert [len(window) for window in cut.ids] == [3, 3, 2, 3]
    assert cut.texts.tolist() == [-1, -1, 2, 3]
    assert cut.first(8).texts.tolist() == [-1, -1, 2]


def test_so_many_tokens_measure() -> None:
    rows = Windows([np.zeros(n, dtype=np.int32) for n in (4, 4, 4)], np.arange(3))
    assert [len(rows.first(n).ids) for n in (1, 4, 7, 8, 100)] == [1, 1, 1, 2, 3]
