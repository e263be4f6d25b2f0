"""A run of train, from files of labelled text to a finished checkpoint."""

from functools import partial
from pathlib import Path
from typing import Unpack

from rich.console import Console
from tokenizers import Tokenizer

from model.text import TextEncoder
from training.artifacts.record import Record
from training.config.config import TrainConfig
from training.config.request import Request
from training.config.start import Start
from training.data.corpus import Corpus, read_corpus
from training.data.unlabeled import with_unlabeled
from training.errors import UsageError
from training.fit.objective import MakeObjective, Supervised
from training.fit.semi_supervised import SemiSupervised, UnlabeledBatches
from training.fit.trainer import Place, Trainer
from training.inspection.report import inspect_corpus
from training.inspection.text import short_text
from training.runs.classifier import ClassifierRun, encode_training, new_encoder, new_network, new_trainer
from training.runs.session import Session


def train(request: Request, session: Session) -> Record | None:
    """Trains, calibrates, evaluates and writes the checkpoint `session.output`.

    Returns:
        The content of `metrics.json`; None if Ctrl-C or SIGTERM came first, after which the run can be resumed, and
        for a process that is not the first, whose part ends with the steps.

    Raises:
        TrainingError, ModelError: see there.
    """
    run, trainer = prepare(request, session)
    return run.publish(trainer) if run.fit(trainer) else None


def prepare(request: Request, session: Session) -> tuple[ClassifierRun, Trainer]:
    """Reads the data, creates or checks the run's folder, and builds the trainer at its first step.

    Raises:
        UsageError: several processes cannot train like this.
        TrainingError, ModelError: see there.
    """
    config = request.config
    if session.processes.count > 1 and config.semi.is_on:
        raise UsageError(
            "the terms of the section semi cannot be split among processes; start this run without torchrun"
        )
    corpus = read_texts(config, Path(request.data_root))
    if session.processes.is_first and not session.resume:
        report(corpus, config, session.console)
    run = ClassifierRun.begin(session, request, corpus, corpus.training_texts)
    return run, build_trainer(config, corpus, run.tokenizer, start=run.start, **session.place)


def read_texts(config: TrainConfig, data_root: Path) -> Corpus:
    """Reads the labelled texts of a configuration and those without labels.

    Raises:
        UsageError: no training file is named.
        TableError: a file, a row or a label is unusable.
    """
    corpus = read_corpus(config.data, seed=config.seed, data_root=data_root)
    return with_unlabeled(
        corpus,
        config.semi.unlabeled,
        text_column=config.data.text_column,
        data_root=data_root,
        mask=config.data.mask_personal,
    )


def report(corpus: Corpus, config: TrainConfig, console: Console) -> None:
    """Prints the findings about the data, without those of which `corpus.warnings` tells, and what is done about each.

    Languages are not looked for: loading their model takes longer than all other checks of a small file.
    """
    if findings := short_text(inspect_corpus(corpus, config.data, config.tokenizer)):
        console.print(findings, markup=False)


def build_trainer(
    config: TrainConfig,
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    start: Start | None = None,
    **place: Unpack[Place],
) -> Trainer:
    """A trainer at its first step; the same weights for the same seed, those of `start` where it has them."""
    network, encoder = new_network(config, corpus, tokenizer, start), new_encoder(config, tokenizer)
    return new_trainer(
        network,
        encode_training(corpus, config.data, encoder),
        corpus,
        config,
        encoder,
        objective=choose_objective(config, corpus, encoder),
        **place,
    )


def choose_objective(config: TrainConfig, corpus: Corpus, encoder: TextEncoder) -> MakeObjective:
    """The loss of the labelled texts alone, or with the terms of `config.semi`."""
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
