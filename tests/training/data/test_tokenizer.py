import pytest
from pydantic import ValidationError

from training.data.tokenizer import TokenizerConfig, train_tokenizer


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
