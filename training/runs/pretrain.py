"""A run of pretrain, from files of raw text to a finished folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from tokenizers import Tokenizer

from model.batch import lengths_of
from model.pretrained import VectorMap
from training.artifacts.encoder_card import write_encoder_card
from training.config.pretrain_request import PretrainRequest
from training.data.tokenizer import read_tokenizer, tokenizer_file, train_tokenizer
from training.errors import UsageError
from training.language_model.config import PretrainConfig
from training.language_model.folder import (
    Imitated,
    Perplexity,
    PretrainedConfig,
    PretrainRecord,
    save_pretrained,
)
from training.language_model.model import LanguageModel
from training.language_model.targets import Targets, read_targets
from training.language_model.texts import RawTexts, read_texts, windows
from training.language_model.trainer import Imitation, LanguageTrainer, count_tokens, perplexity
from training.provenance import file_digest, origin
from training.runs.session import Session


def pretrain(request: PretrainRequest, session: Session) -> PretrainRecord | None:
    """Trains the language models, and on sentence vectors if there are some, and writes the folder `session.output`.

    Returns:
        The content of `metrics.json`; None if Ctrl-C or SIGTERM came first, after which the run can be resumed.

    Raises:
        TrainingError, ModelError: see there.
    """
    config, place = request.config, session.place
    texts = read_texts(config)
    targets, files = read_targets(config, [*texts.train, *texts.validation])
    texts = replace(texts, files=texts.files | files)
    digests = {role: file.sha256 for role, file in texts.files.items()}
    if config.fixed_tokenizer is not None:
        digests["tokenizer"] = file_digest(tokenizer_file(Path(config.fixed_tokenizer)))
    tokenizer = session.tokenizer(digests, lambda: make_tokenizer(config, texts))
    trainer = build_trainer(config, texts, tokenizer, targets, device=place["device"], dtype=session.dtype)
    session.begin(request, tokenizer, digests)
    before = perplexity(trainer.model, trainer.validation, place["device"])[0]
    cosines = trainer.cosines()
    _print_texts(session.console, texts, trainer)
    num_parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    summary = (
        f"{tokenizer.get_vocab_size():,} tokens, {num_parameters:,} parameters, {trainer.total_steps:,} steps; "
        f"validation perplexity {before:,.1f} before the first"
    )
    if not session.fit(trainer, metric="loss" if targets else "perplexity", summary=summary):
        return None
    record = make_record(request, texts, trainer, before, cosines)
    folder = PretrainedConfig(
        vocab_size=tokenizer.get_vocab_size(),
        tokenizer=config.tokenizer,
        architecture=config.architecture,
        vectors=tuple(VectorMap(encoder=each.encoder, width=each.width) for each in targets),
    )
    card = write_encoder_card(session.output.resolve().name, folder, record)
    save_pretrained(session.output, folder, trainer.stored(), tokenizer, record, card, kind=config.weights)
    session.run.remove()
    return record


def make_tokenizer(config: PretrainConfig, texts: RawTexts) -> Tokenizer:
    """The tokenizer that the configuration names, or one of the texts."""
    if config.fixed_tokenizer is not None:
        return read_tokenizer(Path(config.fixed_tokenizer))
    return train_tokenizer(config.tokenizer, [*texts.train, *texts.vocabulary])


def build_trainer(
    config: PretrainConfig,
    texts: RawTexts,
    tokenizer: Tokenizer,
    targets: Sequence[Targets] = (),
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> LanguageTrainer:
    """A trainer at its first step; the same weights for the same seed.

    Args:
        config, texts, tokenizer: of the run.
        targets: vectors of the texts to learn from, followed by those that measure.
        device, dtype: see `LanguageTrainer`.

    Raises:
        UsageError: the texts are too short to have a next token.
    """
    train, validation = (
        windows(part, tokenizer, config.tokenizer.max_tokens) for part in (texts.train, texts.validation)
    )
    if not train.ids or not validation.ids:
        raise UsageError("too few texts of two tokens or more, to learn from some and measure on others; give more")
    validation = validation.first(config.validation_tokens)
    imitation = None
    if targets:
        measured = np.where(validation.texts >= 0, validation.texts + len(texts.train), -1)
        imitation = Imitation(
            config.vectors, [each.of(train.texts) for each in targets], [each.of(measured) for each in targets]
        )
    torch.manual_seed(config.seed)
    vocab_size = tokenizer.get_vocab_size()
    architecture = config.architecture.sized(vocab_size)
    model = LanguageModel(architecture, config.dropouts, config.loop, count_tokens(train.ids, vocab_size))
    return LanguageTrainer(
        model, train.ids, validation.ids, seed=config.seed, device=device, dtype=dtype, imitation=imitation
    )


def make_record(
    request: PretrainRequest, texts: RawTexts, trainer: LanguageTrainer, before: float, cosines: Sequence[float]
) -> PretrainRecord:
    """Everything that `metrics.json` says."""
    device = next(trainer.model.parameters()).device
    both, forward, *backward = perplexity(trainer.model, trainer.validation, device)
    config = request.config
    return PretrainRecord(
        command=request.command,
        seed=config.seed,
        perplexity=Perplexity(
            before=before,
            after=both,
            forward=forward,
            backward=backward[0] if backward else None,
            tokens=int(lengths_of(trainer.validation).sum()),
        ),
        texts=len(texts.train),
        num_withheld=texts.num_withheld,
        tokens=int(lengths_of(trainer.train).sum()),
        tokens_read=trainer.num_tokens,
        data=texts.files,
        config=request.published_settings(),
        imitated=_imitated(trainer, cosines),
        **trainer.effort(),
        **origin(),
    )


def _imitated(trainer: LanguageTrainer, cosines_before: Sequence[float]) -> tuple[Imitated, ...]:
    if trainer.imitation is None:
        return ()
    return tuple(
        Imitated(encoder=targets.encoder, texts=targets.count, cosine_before=before, cosine=after)
        for targets, before, after in zip(trainer.imitation.train, cosines_before, trainer.cosines(), strict=True)
    )


def _print_texts(console: Console, texts: RawTexts, trainer: LanguageTrainer) -> None:
    withheld = f"; {texts.num_withheld:,} left out" if texts.num_withheld else ""
    console.print(
        f"texts: {len(texts.train):,} to learn from, {len(texts.validation):,} set apart{withheld}; "
        f"{lengths_of(trainer.train).sum():,} tokens",
        markup=False,
    )
    for targets in () if trainer.imitation is None else trainer.imitation.train:
        console.print(f"vectors of {targets.encoder}: {targets.width} numbers of {targets.count:,} texts", markup=False)
