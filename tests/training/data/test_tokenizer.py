from pathlib import Path

import pytest
from pydantic import ValidationError

from model.tokenizer import first_tokenizer, train_vocabulary
from training.data.tokenizer import TokenizerConfig, read_tokenizer, settings_of, train_tokenizer
from training.errors import UsageError


def test_the_vocabulary_is_bounded_and_learned_from_the_texts() -> None:
    tokenizer = train_tokenizer(TokenizerConfig(vocab_size=560, min_frequency=2), ["wonderful wonderful film"] * 3)
    assert 512 <= tokenizer.get_vocab_size() <= 560
    assert len(tokenizer.encode("wonderful").ids) == 1
    assert len(tokenizer.encode("dreadful").ids) > 1


def test_case_is_kept_on_request() -> None:
    for lowercase in (True, False):
        tokenizer = train_tokenizer(TokenizerConfig(vocab_size=600, lowercase=lowercase), ["Good good"] * 3)
        assert (tokenizer.encode("GOOD").ids == tokenizer.encode("good").ids) is lowercase


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(ValidationError):
        TokenizerConfig(vocab_size=500)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("chinese_words", [True, False])
def test_a_tokenizer_shows_its_settings(tmp_path: Path, lowercase: bool, chinese_words: bool) -> None:
    config = TokenizerConfig(vocab_size=600, lowercase=lowercase, chinese_words=chinese_words)
    tokenizer = train_tokenizer(config, ["a good film", "好电影 好电影"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        read = read_tokenizer(path)
        assert read.to_str() == tokenizer.to_str()
        shown = {"vocab_size": tokenizer.get_vocab_size(), "lowercase": lowercase, "chinese_words": chinese_words}
        assert settings_of(read) == shown


def test_another_tokenizer_is_refused() -> None:
    older = train_vocabulary(first_tokenizer(), ["a good film"], vocab_size=600, min_frequency=2)
    with pytest.raises(UsageError, match="not one that this version makes"):
        settings_of(older)
