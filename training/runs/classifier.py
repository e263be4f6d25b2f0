"""The parts of a run that train and distill share: tokenizer, network, trainer, and the finished checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, Unpack

import torch
from rich.console import Console
from tokenizers import Tokenizer

from model import files
from model.batch import Ids
from model.memory import give_back
from model.network import RecurrentClassifier
from model.text import TextEncoder
from training.artifacts.publish import Finished, Trained, measure_effort, publish
from training.artifacts.record import Record, TeacherRecord
from training.config.config import TrainConfig, flatten, to_toml
from training.config.layers import repeatable
from training.config.request import Request
from training.config.start import Start, load_start
from training.data.choices import allowed_labels, text_weights
from training.data.config import DataConfig
from training.data.corpus import Corpus
from training.data.dataset import Dataset, encode_labels, soft_targets
from training.data.tokenizer import train_tokenizer
from training.errors import RunError
from training.fit.objective import Loss, MakeObjective, Supervised
from training.fit.stored_ids import store_ids
from training.fit.trainer import Examples, Place, Trainer
from training.metrics.scores import measure
from training.runs.blend import with_ngrams
from training.runs.report import report_run
from training.runs.session import Session

SETTINGS = ".train_config.toml"
"""Behind the name of the checkpoint: every setting of the run that is not the default, for `train --config`."""

Fit = Callable[[Request, Corpus, Tokenizer, Start | None, Session], tuple[Request, Corpus]]
"""Settles what depends on the texts and the machine; see `training.runs.plan`."""


@dataclass(frozen=True, slots=True)
class ClassifierRun:
    """A classifier's run once its data are read and its folder is created.

    Attributes:
        session: output, device, processes and stop.
        request: every setting.
        corpus: the texts by role.
        tokenizer: that of `start`, or learned from the texts.
        start: layers that it begins with; None starts at random.
    """

    session: Session
    request: Request
    corpus: Corpus
    tokenizer: Tokenizer
    start: Start | None

    @classmethod
    def begin(
        cls, session: Session, request: Request, corpus: Corpus, texts: Sequence[str], fit: Fit | None = None
    ) -> Self:
        """Creates or checks the run's folder; a tokenizer is learned from `texts`, and `fit` settles the request.

        Raises:
            UsageError: the data of a resumed run have changed.
            CheckpointError: there is nothing whole to start from.
        """
        config, digests = request.config, {role: file.sha256 for role, file in corpus.files.items()}
        if config.start is None:
            start, tokenizer = None, session.tokenizer(digests, lambda: train_tokenizer(config.tokenizer, texts))
        else:
            start = load_start(Path(config.start))
            digests["start"] = start.version
            tokenizer = session.tokenizer(digests, lambda: start.tokenizer)
        if fit is not None and not session.resume:
            request, corpus = fit(request, corpus, tokenizer, start, session)
        session.begin(request, tokenizer, digests)
        session.log.begin(flatten(request.config))
        give_back()  # what reading the texts and looking at them took
        return cls(session, request, corpus, tokenizer, start)

    def introduce(self, network: RecurrentClassifier, steps: str) -> None:
        """Prints the texts, the warnings about them and the size of the network; `steps` says how long it takes."""
        corpus, console = self.corpus, self.session.console
        by_folds = {} if corpus.fold_N is None else {"validation": "validation the same by folds"}
        parts = ", ".join(by_folds.get(role, f"{role} {file.rows:,}") for role, file in corpus.files.items())
        console.print(f"texts: {parts}; {len(corpus.labels)} labels, {corpus.task.replace('_', '-')}", markup=False)
        for warning in corpus.warnings:
            console.print(f"warning: {warning}", markup=False)
        num_parameters = sum(p.numel() for p in network.parameters())
        console.print(f"{self.tokenizer.get_vocab_size():,} tokens, {num_parameters:,} parameters, {steps}")

    def fit(self, trainer: Trainer) -> bool:
        """Trains to the end or to a stop; see `Session.fit`."""
        summary = f"up to {trainer.total_steps:,} steps"
        if trainer.batch_scale > 1:
            summary += f" of batches {trainer.batch_scale:.3g} times as large as the settings say, for this device"
        self.introduce(trainer.network, summary)
        if self.session.processes.count > 1:
            self.session.processes.from_first(trainer.material())  # see `follow`
        return self.session.fit(trainer, metric=self.request.config.metric)

    def finish(self, trainer: Trainer, teachers: tuple[TeacherRecord, ...] = ()) -> Record:
        """Adds the n-grams to a trained network and publishes both; see `publish`."""
        network = with_ngrams(trainer, self.corpus, self.tokenizer, self.request.config, self.session.console)
        return self.publish(Trained(network, measure_effort(trainer)), teachers)

    def publish(self, trained: Trained, teachers: tuple[TeacherRecord, ...] = ()) -> Record:
        """Calibrates, evaluates, writes the checkpoint and, beside it, the settings; removes the run's folder."""
        session = self.session
        session.console.print("calibrating, and evaluating the finished checkpoint as loaded from disk")
        finished = Finished(self.request, self.corpus, self.tokenizer, trained, teachers=teachers, start=self.start)
        record = publish(finished, session.output, scratch=session.run.path / "checkpoint", device=session.device)
        settings = session.output.with_name(f"{session.output.name}{SETTINGS}")
        files.replace(settings, to_toml(repeatable(self.request.config, Path(self.request.data_root))))
        session.run.remove()
        session.log.end(record.figures())
        if self.request.config.report:
            report_run(session, self.request.config, self.corpus, trained.held_out_NC)
        return record


def new_network(
    config: TrainConfig, corpus: Corpus, tokenizer: Tokenizer, start: Start | None = None
) -> RecurrentClassifier:
    """A network at its first step; the same weights for the same seed, those of `start` where it has them.

    Where labels are kept, the n-grams of the checkpoint are part of it, and training leaves them as they are.
    """
    torch.manual_seed(config.seed)
    architecture = config.architecture.sized(tokenizer.get_vocab_size())
    if start is not None and corpus.continued is not None:
        buckets, order = start.ngrams
        architecture = architecture.model_copy(update={"ngram_buckets": buckets, "ngram_order": order})
    network = RecurrentClassifier(architecture, len(corpus.labels), config.dropouts)
    if start is not None:
        start.fill(network, corpus.labels)
    return network


def new_trainer(
    network: RecurrentClassifier,
    train: Examples,
    corpus: Corpus,
    config: TrainConfig,
    encoder: TextEncoder,
    *,
    loss: Loss | None = None,
    objective: MakeObjective = Supervised,
    keep_last: bool = False,
    **place: Unpack[Place],
) -> Trainer:
    """A trainer of `network` on `train`, whose weights are picked on `corpus.stopping`; see `Trainer`."""
    return Trainer(
        network,
        train,
        encode_examples(corpus.stopping, corpus, encoder),
        config.loop,
        measure=measure(config.metric, corpus.task),
        seed=config.seed,
        loss=loss,
        objective=objective,
        keep_last=keep_last,
        **place,
    )


def new_encoder(config: TrainConfig, tokenizer: Tokenizer) -> TextEncoder:
    """The encoder that cuts texts to the tokens of the configuration."""
    return TextEncoder(tokenizer, max_tokens=config.tokenizer.max_tokens)


def follow(session: Session) -> None:
    """Takes part in the run that the first process of several begins, in silence; ends if that one gives up.

    It reads no data: targets, network and validation texts come from the first process, token ids from the run's
    folder.
    """
    try:
        material = session.processes.from_first(None)
    except RunError:  # the first process has given up, and has said why
        return
    silent = replace(session, resume=True, console=Console(quiet=True))
    silent.fit(Trainer(**material, **session.place), metric="")


def encode_ids(texts: Sequence[str], encoder: TextEncoder, folder: Path | None = None) -> Sequence[Ids]:
    """Token ids of each text; in a file of the folder, if there is one, and not in memory."""
    if folder is None:
        return [text.ids for text in encoder.encode(texts)]
    return store_ids(folder / "ids", encoder.encode_in_parts(texts))


def encode_examples(dataset: Dataset, corpus: Corpus, encoder: TextEncoder, folder: Path | None = None) -> Examples:
    """Token ids and targets of each text; `folder` as in `encode_ids`."""
    return Examples(
        encode_ids(dataset.texts, encoder, folder),
        encode_labels(dataset, corpus.labels),
        allowed_labels(dataset, corpus.labels),
    )


def encode_training(corpus: Corpus, config: DataConfig, encoder: TextEncoder, folder: Path | None = None) -> Examples:
    """Token ids, targets and weights of the training texts; the targets are probabilities where the file has some.

    `folder` as in `encode_ids`.
    """
    examples = encode_examples(corpus.train, corpus, encoder, folder)
    weights, soft = text_weights(corpus.train, config), soft_targets(corpus.train, corpus.labels)
    if soft is None:
        return replace(examples, weights=weights)
    return replace(examples, weights=weights, targets=soft, exclusive=corpus.task == "single_label")
