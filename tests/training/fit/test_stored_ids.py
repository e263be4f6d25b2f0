"""Token ids in a file: the same as in memory, also where the path is mapped again."""

import copy
from pathlib import Path

import pytest

import model.text
from model.padding import pad
from model.text import TextEncoder
from training.data.tokenizer import TokenizerConfig, train_tokenizer
from training.fit.stored_ids import store_ids

TEXTS = ["a fine film", "", "dull", "a very, very long film of many words", "fine"]


def test_ids_in_a_file_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.text, "TOGETHER", 2)
    encoder = TextEncoder(train_tokenizer(TokenizerConfig(vocab_size=512), TEXTS), max_tokens=6)
    expected = [text.ids.tolist() for text in encoder.encode(TEXTS)]
    assert [len(ids) for ids in expected][1:4:2] == [0, 6]
    stored = store_ids(tmp_path / "run" / "ids", encoder.encode_in_parts(TEXTS))
    for ids in (stored, copy.copy(stored)):
        assert [row.tolist() for row in ids] == [row.tolist() for row in ids[:]] == expected
        assert ids[-1].tolist() == expected[-1]
        assert pad(ids[1:3]).lengths_B.tolist() == [0, len(expected[2])]
    assert (tmp_path / "run" / "ids").stat().st_size == 4 * sum(map(len, expected))
    store_ids(tmp_path / "run" / "ids", encoder.encode_in_parts(TEXTS[:1]))  # a resumed run writes them anew
    assert stored[3].tolist() == expected[3]


def test_texts_without_tokens_are_an_empty_file(tmp_path: Path) -> None:
    encoder = TextEncoder(train_tokenizer(TokenizerConfig(vocab_size=512), TEXTS), max_tokens=6)
    assert [len(ids) for ids in store_ids(tmp_path / "ids", encoder.encode_in_parts(["", ""]))] == [0, 0]
    assert len(store_ids(tmp_path / "ids", encoder.encode_in_parts([]))) == 0
