"""One run, from files of labelled text to a finished checkpoint."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from safetensors import SafetensorError
from tokenizers import Tokenizer

from model.device import resolve_device
from model.network import RecurrentClassifier
from model.text import TextEncoder
from training.artifacts.publish import Finished, publish
from training.artifacts.record import Record
from training.artifacts.run_folder import RunFolder
from training.artifacts.start import make_tokenizer, read_start, start_digests
from training.config.config import TrainConfig
from training.config.request import Request
from training.data.corpus import Corpus, read_corpus
from training.data.dataset import Dataset, encode_labels
from training.data.unlabeled import with_unlabeled
from training.errors import UsageError
from training.fit.objective import MakeObjective, Supervised
from training.fit.parallel import ALONE, Processes
from training.fit.progress import format_duration, show_progress
from training.fit.semi_supervised import SemiSupervised, UnlabeledBatches
from training.fit.steps import Progress, Steps
from training.fit.trainer import Examples, Trainer
from training.interrupt import StopRequest
from training.language_model.folder import Pretrained
from training.metrics.scores import measure
from training.runs.blend import with_ngrams

SAVE_EVERY_S = 300.0
"""How often the state is saved; so much is lost at most when the machine dies."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is ready before the first step."""

    corpus: Corpus
    tokenizer: Tokenizer
    trainer: Trainer
    start: Pretrained | None


def train(
    request: Request, output: Path, *, resume: bool, device: str, console: Console, processes: Processes = ALONE
) -> Record | None:
    """Trains, calibrates, evaluates and writes the checkpoint `output`.

    Of several `processes` the first does so; the others take up its run (`resume`), and their part ends with the steps.

    Returns:
        What `metrics.json` says; None if Ctrl-C or SIGTERM came first: then `RunFolder(output)` can be resumed. None
        also for a process that is not the first.

    Raises:
        TrainingError, ModelError: see there.
    """
    run = RunFolder(output)
    prepared = prepare(request, run, resume=resume, device=device, console=console, processes=processes)
    if not fit(prepared.trainer, run, metric=request.config.metric, console=console) or not processes.is_first:
        return None
    network = with_ngrams(prepared.trainer, prepared.corpus, prepared.tokenizer, request.config, console)
    console.print("calibrating, and evaluating the finished checkpoint as loaded from disk")
    finished = Finished(request, prepared.corpus, prepared.tokenizer, prepared.trainer, network, start=prepared.start)
    record = publish(finished, output, scratch=run.path / "checkpoint", device=device)
    run.remove()
    return record


def prepare(
    request: Request,
    run: RunFolder,
    *,
    resume: bool,
    device: str,
    console: Console,
    processes: Processes = ALONE,
) -> Prepared:
    """Reads the data, makes or takes up the tokenizer, and builds a trainer that stands where the run stands.

    Raises:
        UsageError: several processes cannot train like this.
        TrainingError, ModelError: see there.
    """
    config = request.config
    if processes.count > 1 and config.semi.is_on:
        raise UsageError("the terms of semi are of a whole step and are not parted among processes; leave out torchrun")
    data_root = Path(request.data_root)
    corpus = read_corpus(config.data, seed=config.seed, data_root=data_root)
    corpus = with_unlabeled(corpus, config.semi.unlabeled, text_column=config.data.text_column, data_root=data_root)
    start = read_start(config)
    digests = {role: file.sha256 for role, file in corpus.files.items()} | start_digests(start)
    if resume:
        run.check_digests(digests)
        tokenizer = run.tokenizer()
    else:
        tokenizer = make_tokenizer(config, start, corpus.training_texts)
        run.create(request, tokenizer, digests)
    trainer = build_trainer(config, corpus, tokenizer, device=resolve_device(device), start=start, processes=processes)
    if resume and run.has_state:
        load_state(trainer, run)
    tell_start(console, corpus, trainer, tokenizer)
    return Prepared(corpus, tokenizer, trainer, start)


def build_trainer(
    config: TrainConfig,
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    device: torch.device,
    start: Pretrained | None = None,
    processes: Processes = ALONE,
) -> Trainer:
    """A trainer at its first step; the same weights for the same seed, those of `start` where it has them."""
    torch.manual_seed(config.seed)
    architecture = config.architecture.sized(tokenizer.get_vocab_size())
    network = RecurrentClassifier(architecture, len(corpus.labels), config.dropouts)
    if start is not None:
        start.fill(network)
    encoder = TextEncoder(tokenizer, max_tokens=config.tokenizer.max_tokens)
    return Trainer(
        network,
        encode_examples(corpus.train, corpus, encoder),
        encode_examples(corpus.stopping, corpus, encoder),
        config.loop,
        measure=measure(config.metric, corpus.task),
        seed=config.seed,
        device=device,
        objective=choose_objective(config, corpus, encoder),
        processes=processes,
    )


def choose_objective(config: TrainConfig, corpus: Corpus, encoder: TextEncoder) -> MakeObjective:
    """What makes of the loss of the labelled texts that which is minimised."""
    if not config.semi.is_on:
        return Supervised
    unlabeled = None
    if corpus.unlabeled:
        unlabeled = UnlabeledBatches(
            [text.ids for text in encoder.encode(corpus.unlabeled)],
            rows=config.semi.unlabeled_rows,
            max_tokens=config.loop.batch_tokens,
            seed=config.seed,
        )
    return partial(SemiSupervised, config=config.semi, task=corpus.task, unlabeled=unlabeled)


def encode_examples(dataset: Dataset, corpus: Corpus, encoder: TextEncoder) -> Examples:
    """Token ids and targets of each text."""
    return Examples([text.ids for text in encoder.encode(dataset.texts)], encode_labels(dataset, corpus.labels))


def load_state(trainer: Steps, run: RunFolder) -> None:
    """Puts the trainer where the run stopped.

    Raises:
        UsageError: the state is damaged.
    """
    try:
        trainer.load_state(run.path)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UsageError(f"{run.path}: the saved state is damaged ({error}); start anew with --overwrite") from error


def fit(trainer: Steps, run: RunFolder, *, metric: str, console: Console) -> bool:
    """Trains to the end (True) or to a request to stop (False); either way the state is saved in the run's folder."""
    processes = trainer.processes
    if processes.is_first:
        processes.meet()  # the run's folder is complete: the others, who wait for this, can take it up
    save = Every(SAVE_EVERY_S, lambda: trainer.save_state(run.path), lambda: processes.largest(time.monotonic()))
    with StopRequest() as stop, show_progress(console, metric=metric, num_readings=len(trainer.history)) as show:

        def report(progress: Progress) -> None:
            show(progress, trainer.history)
            save()

        finished = trainer.run(report, lambda: processes.largest(bool(stop)) > 0)
    trainer.save_state(run.path)
    return finished


class Every:
    """Does something when called, but only once in `seconds`; not in the first ones."""

    def __init__(self, seconds: float, action: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._action, self._clock = seconds, action, clock
        self._last = clock()

    def __call__(self) -> None:
        """Acts, if it is time."""
        if self._clock() - self._last >= self._seconds:
            self._action()
            self._last = self._clock()


def tell_start(console: Console, corpus: Corpus, trainer: Trainer, tokenizer: Tokenizer) -> None:
    """Says what is about to be trained on what, and what is wrong with the data."""
    parts = ", ".join(f"{role} {file.rows:,}" for role, file in corpus.files.items())
    console.print(f"texts: {parts}; {len(corpus.labels)} labels, {corpus.task.replace('_', '-')}", markup=False)
    for warning in corpus.warnings:
        console.print(f"warning: {warning}", markup=False)
    num_parameters = sum(p.numel() for p in trainer.network.parameters())
    console.print(
        f"{tokenizer.get_vocab_size():,} tokens, {num_parameters:,} parameters, up to {trainer.total_steps:,} steps"
        + (f"; resumed after {format_duration(trainer.seconds)}" if trainer.seconds else "")
    )
