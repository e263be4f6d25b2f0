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
from training.inspection.text import inspect_command, short_text
from training.runs.classifier import (
    ClassifierRun,
    encode_examples,
    encode_training,
    new_encoder,
    new_network,
    new_trainer,
)
from training.runs.continuing import Ending, continued_from, describe_continued, ending, settle
from training.runs.folds import train_folds
from training.runs.heads import fit_heads, with_head
from training.runs.plan import fitted
from training.runs.session import Session
from training.runs.start_choice import choose_start


def train(request: Request, session: Session) -> Record | None:
    """Trains, calibrates, evaluates and writes the checkpoint `session.output`.

    Returns:
        The content of `metrics.json`; None if Ctrl-C or SIGTERM came first, after which the run can be resumed.

    Raises:
        TrainingError, ModelError: see there.
    """
    run = begin(request, session)
    if run.corpus.fold_N is not None:
        trained = train_folds(run)
        return None if trained is None else run.publish(trained)
    trainer = first_step(run)
    if not run.fit(trainer):
        return None
    settle(run, trainer)
    return run.finish(trainer)


def begin(request: Request, session: Session) -> ClassifierRun:
    """Reads the data, and creates or checks the run's folder.

    Raises:
        UsageError: several processes cannot train like this.
        TrainingError, ModelError: see there.
    """
    config = request.config
    if session.processes.count > 1 and config.semi.is_on:
        raise UsageError(
            "the terms of the section semi cannot be split among processes; start this run without torchrun"
        )
    if session.processes.count > 1 and session.resume and config.data.folds:
        raise UsageError(
            f"this run began with {config.data.folds} folds, each with a network that one process trains; go on "
            "without torchrun"
        )
    decided = (config.data.folds or 0) if session.resume else 0  # a new run's are decided by `fitted`
    corpus = read_texts(config, Path(request.data_root), folds=decided)
    request, said = choose_start(request, corpus.train.texts)
    if session.processes.is_first and not session.resume:
        report(corpus, config, session.console)
        if said := said or describe_continued(corpus):
            session.console.print(said, markup=False, highlight=False)
    return ClassifierRun.begin(session, request, corpus, corpus.training_texts, fitted)


def first_step(run: ClassifierRun) -> Trainer:
    """The trainer of a run without folds, before its first step."""
    folder = run.session.run.path
    return build_trainer(
        run.request.config, run.corpus, run.tokenizer, start=run.start, folder=folder, **run.session.place
    )


def read_texts(config: TrainConfig, data_root: Path, *, folds: int = 0) -> Corpus:
    """Reads the labelled texts of a configuration and those without labels; `folds` as of `read_corpus`.

    Raises:
        UsageError: no training file is named, or a setting contradicts the checkpoint whose labels are kept.
        TableError: a file, a row or a label is unusable.
    """
    continued = continued_from(config)
    corpus = read_corpus(config.data, seed=config.seed, data_root=data_root, continued=continued, folds=folds)
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
    found = inspect_corpus(corpus, config.data, config.tokenizer)
    if findings := short_text(found, inspect_command(config.data, config.tokenizer)):
        console.print(findings, markup=False)


def build_trainer(
    config: TrainConfig,
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    start: Start | None = None,
    folder: Path | None = None,
    **place: Unpack[Place],
) -> Trainer:
    """A trainer at its first step; the same weights for the same seed, those of `start` where it has them.

    Where a `folder` is given, a file in it holds the token ids, and not the memory.
    """
    network, encoder = new_network(config, corpus, tokenizer, start), new_encoder(config, tokenizer)
    train = encode_training(corpus, config.data, encoder, folder)
    kept: Ending = {}
    if start is not None and corpus.continued is not None:
        kept = ending(network, train, corpus, start, config.loop, place["device"])
    elif start is not None:
        stopping = encode_examples(corpus.stopping, corpus, encoder)
        heads = fit_heads(network, train, stopping, corpus, config, start, place["device"])
        network = with_head(network, heads.whole if heads else None)
    return new_trainer(
        network,
        train,
        corpus,
        config,
        encoder,
        objective=choose_objective(config, corpus, encoder),
        **kept,
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
