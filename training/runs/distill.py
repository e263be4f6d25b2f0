"""A run of distill, from teachers and texts to a finished checkpoint: as train, but towards the teachers' logits.

Source: Tang et al. 2019, "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks".
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from tokenizers import Tokenizer

from model.network import RecurrentClassifier
from training.artifacts.record import Record, TeacherRecord
from training.config.config import TrainConfig
from training.config.request import Request
from training.data.choices import allowed_labels, among
from training.data.corpus import Corpus, DataFile, read_corpus
from training.data.dataset import encode_labels
from training.data.files import digest_of, shown_path
from training.data.transfer import TransferSet, build_transfer_set, known_labels, label_weights
from training.data.unlabeled import read_unlabeled
from training.data.variants import AugmentConfig
from training.errors import UsageError
from training.fit.imitation import DistillConfig, ImitationLoss, parse_label_map
from training.fit.trainer import Examples, Trainer
from training.metrics.scores import measure
from training.runs.classifier import ClassifierRun, encode_ids, new_encoder, new_network, new_trainer
from training.runs.plan import unfolded
from training.runs.session import Session
from training.teachers.label_file import LabelFile
from training.teachers.labelling import LabellingLines, label
from training.teachers.teacher import Teacher, columns_for, is_checkpoint, load_teacher, student_logits
from training.teachers.vectors import open_source, start_vectors


def distill(request: Request, session: Session) -> Record | None:
    """Labels the transfer set, trains, calibrates, evaluates and writes the checkpoint `session.output`.

    Returns:
        As `train`.

    Raises:
        TrainingError, ModelError: see there.
    """
    request = unfolded(request, session.console)
    config = request.config
    check_settings(config)
    device, max_tokens = session.place["device"], config.distill.max_tokens
    teachers = [load_teacher(Path(path), max_tokens=max_tokens, device=device) for path in config.distill.teachers]
    corpus = read_material(config, Path(request.data_root))
    transfer = build_transfer_set(corpus, *further_texts(corpus, teachers, config.distill), seed=config.seed)
    session.console.print(transfer.describe(), markup=False)
    run = ClassifierRun.begin(session, request, corpus, transfer.given)
    loss = ask_teachers(teachers, transfer, corpus, config, session)
    if loss is None:
        return None
    trainer = build_student(run, transfer, loss)
    if not run.fit(trainer):
        return None
    return run.finish(trainer, tuple(score_teachers(teachers, corpus, config)))


def check_settings(config: TrainConfig) -> None:
    """Refuses settings that a distillation cannot have.

    Raises:
        UsageError: there is no teacher, or two settings exclude each other.
    """
    if not config.distill.teachers:
        raise UsageError("no teacher; give --teacher FOLDER")
    if config.semi.is_on:
        raise UsageError(
            "the terms of the section semi are for train: leave them out; a student learns its teachers' answers"
        )
    if config.data.mask_personal:
        raise UsageError("a teacher is asked about texts as they are: mask the files first, with mix --mask-personal")
    if config.start is not None and config.distill.vectors not in ("teacher", "none"):
        raise UsageError("the embedding can start from --vectors or from --start, not from both")


def read_material(config: TrainConfig, data_root: Path) -> Corpus:
    """Reads labelled and unlabelled files; the latter are recorded beside the former."""
    corpus = read_corpus(config.data, seed=config.seed, data_root=data_root)
    files, texts = dict(corpus.files), []
    for number, path in enumerate(map(Path, config.distill.unlabeled), 1):
        found = read_unlabeled(path, text_column=config.data.text_column)
        texts += found
        shown = shown_path(path, data_root)
        files[f"unlabeled {number}"] = DataFile(file=shown, sha256=digest_of(path), rows=len(found), labels={})
    return dataclasses.replace(corpus, files=files, unlabeled=tuple(texts))


def further_texts(
    corpus: Corpus, teachers: Sequence[Teacher], config: DistillConfig
) -> tuple[list[str], AugmentConfig]:
    """The texts without labels, those of the teachers that are files among them, and which variants are made.

    Files know no variants, so there are none without a teacher that is a model.
    """
    files = [teacher for teacher in teachers if isinstance(teacher, LabelFile)]
    texts = [*corpus.unlabeled]
    if not config.labelled_only:
        texts += (text for file in files for text in file.texts)
    augment = config.augment
    return texts, augment if len(files) < len(teachers) else AugmentConfig(variants=0, unlabeled_variants=0)


def ask_teachers(
    teachers: Sequence[Teacher],
    transfer: TransferSet,
    corpus: Corpus,
    config: TrainConfig,
    session: Session,
) -> ImitationLoss | None:
    """The loss of the student, with the answers that it is to give; None if Ctrl-C or SIGTERM came first.

    Nobody asks about a text whose label alone counts (`hard_share` of 1).

    Raises:
        UsageError: no text is left to ask about, no teacher knows one, or a label of the teachers does not fit.
    """
    settings = config.distill
    if not transfer.texts:
        raise UsageError(
            "validation or test has every text that the student could learn from; give others, with --unlabeled"
        )
    truth_NC, allowed_NC, labelled_N = known_labels(transfer.texts, corpus)
    rows = np.flatnonzero(~labelled_N) if settings.hard_share == 1 else np.arange(len(transfer.texts))
    if not len(rows):
        raise UsageError(
            "distill.hard_share=1 leaves the teacher the texts without labels, and there are none; give --unlabeled"
        )
    with session.interrupt() as stop:
        found = label(
            teachers,
            [transfer.texts[row] for row in rows],
            corpus.labels,
            parse_label_map(settings.label_map),
            cache=Path(settings.cache or session.run.path / "logits"),
            report=LabellingLines(session.console),
            should_stop=lambda: bool(stop),
        )
    if found is None:
        return None
    unanswered = [row for row in rows[~found.known_N] if not labelled_N[row]]
    if unanswered:
        raise UsageError(
            f"{len(unanswered):,} texts have neither a label nor a teacher that knows them, the first of them "
            f"{transfer.texts[unanswered[0]][:40]!r}; add a teacher that is a model"
        )
    teacher_NC, share_N = np.zeros_like(truth_NC), labelled_N.astype(np.float32)
    teacher_NC[rows] = found.logits_NC
    share_N[rows[found.known_N]] *= settings.hard_share
    weights_N = label_weights(transfer.texts, corpus, config.data)
    other_labels = config.loop.other_labels
    return ImitationLoss(teacher_NC, truth_NC, share_N, allowed_NC, settings, corpus.task, other_labels, weights_N)


def build_student(run: ClassifierRun, transfer: TransferSet, loss: ImitationLoss) -> Trainer:
    """A trainer at its first step, towards the teachers' answers; the same weights for the same seed."""
    config, corpus, tokenizer = run.request.config, run.corpus, run.tokenizer
    network = new_network(config, corpus, tokenizer, run.start)
    if run.start is None and (vectors := vectors_path(config.distill)) is not None:
        start_from(vectors, network, tokenizer, transfer.texts, config, run.session.console)
    encoder = new_encoder(config, tokenizer)
    return new_trainer(
        network,
        Examples(encode_ids(transfer.texts, encoder, run.session.run.path), loss.teacher_NC),
        corpus,
        config,
        encoder,
        loss=loss,
        **run.session.place,
    )


def vectors_path(config: DistillConfig) -> Path | None:
    """Where the starting vectors are; None for random ones."""
    if config.vectors == "none":
        return None
    if config.vectors != "teacher":
        return Path(config.vectors)
    first = Path(config.teachers[0])
    return None if first.is_file() or is_checkpoint(first) else first


def start_from(
    path: Path,
    network: RecurrentClassifier,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    config: TrainConfig,
    console: Console,
) -> None:
    """Fills the embedding of `network` with the vectors at `path`, and says how much they cover.

    Raises:
        UsageError: they are of another width, or cannot be read.
    """
    source = open_source(path, tokenizer)
    if source.width != network.architecture.embedding_dim:
        raise UsageError(
            f"the vectors of {path.name} have {source.width} numbers and the embedding "
            f"{network.architecture.embedding_dim}; say --set architecture.embedding_dim={source.width}"
        )
    start = start_vectors(tokenizer, source, texts, spread=config.distill.spread, seed=config.seed)
    console.print(start.describe(), markup=False, highlight=False)
    with torch.no_grad():
        network.embedding.copy_(torch.from_numpy(start.matrix_VE))


def score_teachers(teachers: Sequence[Teacher], corpus: Corpus, config: TrainConfig) -> list[TeacherRecord]:
    """The scores of each teacher on the held-out texts, with which the student is compared.

    A teacher that was not asked about the labelled texts is not asked about others like them either: it may not know
    their language, and may take longer over them than the whole training.
    """
    score = measure(config.metric, corpus.task)
    records = []
    for teacher in teachers:
        asked = {} if config.distill.hard_share == 1 or isinstance(teacher, LabelFile) else corpus.held_out
        columns = columns_for(teacher, corpus.labels, parse_label_map(config.distill.label_map))
        scores = {}
        for role, dataset in asked.items():
            logits_NC = student_logits(teacher.logits(dataset.texts), columns)
            judged_NC = among(logits_NC, allowed_labels(dataset, corpus.labels))
            scores[role] = score(judged_NC, encode_labels(dataset, corpus.labels))
        records.append(TeacherRecord(name=teacher.name, digest=teacher.digest, scores=scores))
    return records
