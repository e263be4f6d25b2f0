"""A run of pretrain, from files of raw text to a finished folder."""

import torch
from rich.console import Console
from tokenizers import Tokenizer

from model.batch import lengths_of
from training.config.pretrain_request import PretrainRequest
from training.data.tokenizer import train_tokenizer
from training.errors import UsageError
from training.language_model.config import PretrainConfig
from training.language_model.folder import Perplexity, PretrainedConfig, PretrainRecord, save_pretrained
from training.language_model.model import LanguageModel
from training.language_model.texts import RawTexts, first_tokens, read_texts, windows
from training.language_model.trainer import LanguageTrainer, count_tokens, perplexity
from training.provenance import origin
from training.runs.session import Session


def pretrain(request: PretrainRequest, session: Session) -> PretrainRecord | None:
    """Trains the language models and writes the folder `session.output`.

    Returns:
        The content of `metrics.json`; None if Ctrl-C or SIGTERM came first, after which the run can be resumed.

    Raises:
        TrainingError, ModelError: see there.
    """
    config, place = request.config, session.place
    texts = read_texts(config)
    digests = {role: file.sha256 for role, file in texts.files.items()}
    tokenizer = session.tokenizer(digests, lambda: train_tokenizer(config.tokenizer, [*texts.train, *texts.vocabulary]))
    trainer = build_trainer(config, texts, tokenizer, device=place["device"], dtype=session.dtype)
    session.begin(request, tokenizer, digests)
    before = perplexity(trainer.model, trainer.validation, place["device"])[0]
    _print_texts(session.console, texts, trainer)
    num_parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    summary = (
        f"{tokenizer.get_vocab_size():,} tokens, {num_parameters:,} parameters, {trainer.total_steps:,} steps; "
        f"validation perplexity {before:,.1f} before the first"
    )
    if not session.fit(trainer, metric="perplexity", summary=summary):
        return None
    record = make_record(request, texts, trainer, before)
    folder = PretrainedConfig(
        vocab_size=tokenizer.get_vocab_size(), tokenizer=config.tokenizer, architecture=config.architecture
    )
    save_pretrained(session.output, folder, trainer.model, tokenizer, record)
    session.run.remove()
    return record


def build_trainer(
    config: PretrainConfig,
    texts: RawTexts,
    tokenizer: Tokenizer,
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> LanguageTrainer:
    """A trainer at its first step; the same weights for the same seed.

    Raises:
        UsageError: the texts are too short to have a next token.
    """
    train, validation = (
        windows(part, tokenizer, config.tokenizer.max_tokens) for part in (texts.train, texts.validation)
    )
    if not train or not validation:
        raise UsageError("too few texts of two tokens or more, to learn from some and measure on others; give more")
    torch.manual_seed(config.seed)
    vocab_size = tokenizer.get_vocab_size()
    architecture = config.architecture.sized(vocab_size)
    model = LanguageModel(architecture, config.dropouts, config.loop, count_tokens(train, vocab_size))
    measured = first_tokens(validation, config.validation_tokens)
    return LanguageTrainer(model, train, measured, seed=config.seed, device=device, dtype=dtype)


def make_record(request: PretrainRequest, texts: RawTexts, trainer: LanguageTrainer, before: float) -> PretrainRecord:
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
        **trainer.effort(),
        **origin(),
    )


def _print_texts(console: Console, texts: RawTexts, trainer: LanguageTrainer) -> None:
    withheld = f"; {texts.num_withheld:,} left out" if texts.num_withheld else ""
    console.print(
        f"texts: {len(texts.train):,} to learn from, {len(texts.validation):,} set apart{withheld}; "
        f"{lengths_of(trainer.train).sum():,} tokens",
        markup=False,
    )
