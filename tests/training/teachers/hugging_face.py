"""Tiny random Hugging Face models, made on the spot."""

from pathlib import Path
from typing import Any

import torch
import transformers  # its classes are imported at their first use, which takes seconds

WORDS = ("good", "bad", "film", "a", "the", "very", "not", "un", "##good", "##ly", "!", ".", "好", "不")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_tokenizer(folder: Path, words: tuple[str, ...] = WORDS) -> int:
    """A WordPiece tokenizer of a few words; returns the number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: place for place, token in enumerate((*SPECIAL, *words))}
    transformers.BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=64).save_pretrained(folder)
    return len(vocabulary)


def tiny_config(vocab_size: int, **options: Any) -> "transformers.BertConfig":
    """A BERT of one layer."""
    return transformers.BertConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        **options,
    )


def write_classifier(folder: Path, labels: tuple[str, ...] = ("negative", "positive"), *, seed: int = 0) -> Path:
    """A classifier whose answers differ from text to text."""
    torch.manual_seed(seed)
    config = tiny_config(write_tokenizer(folder), id2label=dict(enumerate(labels)), num_labels=len(labels))
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.5)
    model.save_pretrained(folder)
    return folder


def write_encoder(folder: Path, words: tuple[str, ...] = WORDS, *, seed: int = 0) -> Path:
    """An encoder without a head."""
    torch.manual_seed(seed)
    transformers.BertModel(tiny_config(write_tokenizer(folder, words))).save_pretrained(folder)
    return folder
