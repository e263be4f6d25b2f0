"""The tokenizer of a run: the library's pipeline with a vocabulary learned from the training texts."""

import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from tokenizers import Tokenizer

from model.checkpoint import TOKENIZER, parse_tokenizer
from model.config import Frozen
from model.tokenizer import build_tokenizer, train_vocabulary
from training.errors import UsageError


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


def tokenizer_file(path: Path) -> Path:
    """The file itself, or `tokenizer.json` of a folder."""
    return path / TOKENIZER if path.is_dir() else path


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a file, or of a folder that has one.

    Raises:
        UsageError: it cannot be read.
        CheckpointDamaged: it is not a tokenizer.
    """
    file = tokenizer_file(path)
    try:
        return parse_tokenizer(file, file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error


def settings_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """The settings of `TokenizerConfig` that a learned tokenizer shows.

    Raises:
        UsageError: it is not of the pipeline of `model.tokenizer`, or of an older one.
    """
    shown = _pipeline_of(tokenizer)
    for lowercase, chinese_words in product((True, False), repeat=2):
        if shown == _pipeline_of(build_tokenizer(lowercase=lowercase, chinese_words=chinese_words)):
            vocab_size = tokenizer.get_vocab_size()
            return {"vocab_size": vocab_size, "lowercase": lowercase, "chinese_words": chinese_words}
    raise UsageError("the tokenizer is not one that this version makes; leave --tokenizer out to make one")


def _pipeline_of(tokenizer: Tokenizer) -> tuple[Any, Any]:
    state = json.loads(tokenizer.to_str())
    return state["normalizer"], state["pre_tokenizer"]
