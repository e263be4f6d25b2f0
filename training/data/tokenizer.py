"""The tokenizer of a run: the library's pipeline with a vocabulary learned from the training texts."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from tokenizers import Tokenizer

from model.config import Frozen
from model.tokenizer import build_tokenizer, train_vocabulary


class TokenizerConfig(Frozen):
    """Settings of the tokenizer.

    Attributes:
        vocab_size: at most this many tokens; 512 are the bytes.
        min_frequency: pairs seen less often are not merged.
        lowercase: drops case.
        chinese_words: makes tokens of Chinese words, not of characters: a third fewer of them. It takes some 100,000
            Chinese texts; a few hundred hold too few repeated words, and the accuracy suffers.
        max_tokens: longer texts are cut to their first `max_tokens` tokens, in training and in serving.
    """

    vocab_size: Annotated[int, Field(ge=512, le=1_000_000)] = 16_000
    min_frequency: Annotated[int, Field(ge=1)] = 2
    lowercase: bool = True
    chinese_words: bool = False
    max_tokens: Annotated[int, Field(ge=1)] = 512


def train_tokenizer(config: TokenizerConfig, texts: Iterable[str]) -> Tokenizer:
    """Learns a vocabulary from `texts`: those that are trained on, none that is held out."""
    pipeline = build_tokenizer(lowercase=config.lowercase, chinese_words=config.chinese_words)
    return train_vocabulary(pipeline, texts, vocab_size=config.vocab_size, min_frequency=config.min_frequency)
