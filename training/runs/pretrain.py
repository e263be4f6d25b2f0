"""One pre-training, from files of raw text to a finished folder."""

from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from tokenizers import Tokenizer

from model.batch import lengths_of
from model.device import resolve_device
from training.artifacts.run_folder import RunFolder
from training.config.config import flatten
from training.config.pretrain_request import PretrainRequest
from training.data.tokenizer import train_tokenizer
from training.errors import UsageError
from training.fit.progress import format_duration
from training.language_model.config import PretrainConfig
from training.language_model.folder import Perplexity, PretrainedConfig, PretrainRecord, save_pretrained
from training.language_model.model import LanguageModel
from training.language_model.texts import RawTexts, first_tokens, read_texts, windows
from training.language_model.trainer import LanguageTrainer, count_tokens, perplexity
from training.provenance import code_version, describe_machine, library_versions
from training.runs.train import fit, load_state


def pretrain(
    request: PretrainRequest, output: Path, *, resume: bool, device: str, console: Console
) -> PretrainRecord | None:
    """Trains the language models and writes the folder `output`.

    Returns:
        What `metrics.json` says; None if Ctrl-C or SIGTERM came first: then `RunFolder(output)` can be resumed.

    Raises:
        TrainingError, ModelError: see there.
    """
    config, run = request.config, RunFolder(output)
    texts = read_texts(config)
    digests = {role: file.sha256 for role, file in texts.files.items()}
    where = resolve_device(device)
    if resume:
        run.check_digests(digests)
    tokenizer = run.tokenizer() if resume else train_tokenizer(config.tokenizer, [*texts.train, *texts.vocabulary])
    trainer = build_trainer(config, texts, tokenizer, device=where)
    if not resume:
        run.create(request, tokenizer, digests)
    before = perplexity(trainer.model, trainer.validation, where)[0]
    if resume and run.has_state:
        load_state(trainer, run)
    _tell_start(console, texts, trainer, tokenizer, before)
    if not fit(trainer, run, metric="perplexity", console=console):
        return None
    record = make_record(request, texts, trainer, before)
    folder = PretrainedConfig(
        vocab_size=tokenizer.get_vocab_size(), tokenizer=config.tokenizer, architecture=config.architecture
    )
    save_pretrained(output, folder, trainer.model, tokenizer, record)
    run.remove()
    return record


def build_trainer(
    config: PretrainConfig, texts: RawTexts, tokenizer: Tokenizer, *, device: torch.device
) -> LanguageTrainer:
    """A trainer at its first step; the same weights for the same seed.

    Raises:
        UsageError: the texts are too short to have a next token.
    """
    train, validation = (
        windows(part, tokenizer, config.tokenizer.max_tokens) for part in (texts.train, texts.validation)
    )
    if not train or not validation:
        raise UsageError("too few texts of two tokens or more, to learn from some and measure on others")
    torch.manual_seed(config.seed)
    vocab_size = tokenizer.get_vocab_size()
    architecture = config.architecture.sized(vocab_size)
    model = LanguageModel(architecture, config.dropouts, config.loop, count_tokens(train, vocab_size))
    measured = first_tokens(validation, config.validation_tokens)
    return LanguageTrainer(model, train, measured, seed=config.seed, device=device)


def make_record(request: PretrainRequest, texts: RawTexts, trainer: LanguageTrainer, before: float) -> PretrainRecord:
    """Everything that `metrics.json` says."""
    device = next(trainer.model.parameters()).device
    both, forward, *backward = perplexity(trainer.model, trainer.validation, device)
    config = request.config
    return PretrainRecord(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
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
        seconds=trainer.seconds,
        tokens_per_s=trainer.tokens_per_s,
        steps=int(trainer.history[-1]["step"]),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        machine=describe_machine(),
        history=trainer.history,
        data=texts.files,
        config=_published_settings(config),
        code=code_version(),
        libraries=library_versions(),
    )


def _published_settings(config: PretrainConfig) -> dict[str, object]:
    """Every setting by dotted key, files without their folders."""
    names = {key: [Path(file).name for file in getattr(config, key)] for key in ("texts", "without", "vocabulary")}
    return flatten(config) | names


def _tell_start(
    console: Console, texts: RawTexts, trainer: LanguageTrainer, tokenizer: Tokenizer, before: float
) -> None:
    withheld = f"; {texts.num_withheld:,} left out" if texts.num_withheld else ""
    console.print(
        f"texts: {len(texts.train):,} to learn from, {len(texts.validation):,} set apart{withheld}; "
        f"{lengths_of(trainer.train).sum():,} tokens",
        markup=False,
    )
    num_parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    console.print(
        f"{tokenizer.get_vocab_size():,} tokens, {num_parameters:,} parameters, {trainer.total_steps:,} steps; "
        f"validation perplexity {before:,.1f} before the first"
        + (f"; resumed after {format_duration(trainer.seconds)}" if trainer.seconds else ""),
        markup=False,
    )
