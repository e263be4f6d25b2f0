"""The start of a run: random weights and a new tokenizer, or the layers that `pretrain` left."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer

from training.artifacts.record import StartRecord
from training.config.config import TrainConfig
from training.data.tokenizer import train_tokenizer
from training.language_model.folder import Pretrained, load_pretrained


def read_start(config: TrainConfig) -> Pretrained | None:
    """The pre-trained layers of a run, verified; None for random weights.

    Raises:
        CheckpointError: the folder is missing, damaged or none of `pretrain`.
    """
    return None if config.start is None else load_pretrained(Path(config.start))


def make_tokenizer(config: TrainConfig, start: Pretrained | None, texts: Iterable[str]) -> Tokenizer:
    """The tokenizer of the pre-trained layers, for their embedding has its tokens; else one learned from `texts`."""
    return train_tokenizer(config.tokenizer, texts) if start is None else start.tokenizer


def start_digests(start: Pretrained | None) -> dict[str, str]:
    """The digests that a resumed run must find unchanged."""
    return {} if start is None else {"start": start.version}


def record_start(start: Pretrained | None) -> StartRecord | None:
    """The entry in the classifier's `metrics.json`; None for random weights."""
    if start is None:
        return None
    return StartRecord(
        name=start.name,
        version=start.version,
        perplexity=start.record.perplexity.after,
        command=start.record.command,
        data=start.record.data,
    )
