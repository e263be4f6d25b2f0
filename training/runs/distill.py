"""One distillation, from teachers and texts to a finished checkpoint: as `train`, but towards the teachers' logits.

Source: Tang et al. 2019, "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks".
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from tokenizers import Tokenizer

from model.device import resolve_device
from model.network import RecurrentClassifier
from model.text import TextEncoder
from training.artifacts.publish import Finished, publish
from training.artifacts.record import Record, TeacherRecord
from training.artifacts.run_folder import RunFolder
from training.artifacts.start import make_tokenizer, read_start, start_digests
from training.config.config import TrainConfig
from training.config.request import Request
from training.data.corpus import Corpus, DataFile, read_corpus, shown_path
from training.data.dataset import encode_labels
from training.data.transfer import TransferSet, build_transfer_set, known_labels
from training.data.unlabeled import read_unlabeled
from training.errors import UsageError
from training.fit.imitation import DistillConfig, ImitationLoss, parse_label_map
from training.fit.parallel import ALONE, Processes
from training.fit.trainer import Examples, Trainer
from training.interrupt import StopRequest
from training.language_model.folder import Pretrained
from training.metrics.scores import measure
from training.provenance import file_digest
from training.runs.blend import with_ngrams
from training.runs.train import encode_examples, fit, load_state, tell_start
from training.teachers.labelling import LabellingLines, label
from training.teachers.teacher import Teacher, columns_for, is_checkpoint, load_teacher, student_logits
from training.teachers.vectors import open_source, start_vectors

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Material:
    """What the student learns from.

    Attributes:
        corpus: its `train` is labelled, its other roles pick and measure the weights.
        unlabeled: further texts.
    """

    corpus: Corpus
    unlabeled: list[str]


def distill(
    request: Request, output: Path, *, resume: bool, device: str, console: Console, processes: Processes = ALONE
) -> Record | None:
    """Labels the transfer set, trains, calibrates, evaluates and writes the checkpoint `output`.

    Args:
        request: as for `train`, with teachers.
        output: the checkpoint folder.
        resume: go on with `RunFolder(output)`.
        device: of teachers and student.
        console: for a person to watch.
        processes: that train together; as in `train`. The first asks the teachers, the others find its logits on disk.

    Returns:
        What `metrics.json` says; None if Ctrl-C or SIGTERM came first, or for a process that is not the first.

    Raises:
        TrainingError, ModelError: see there.
    """
    config, run, where = request.config, RunFolder(output), resolve_device(device)
    if not config.distill.teachers:
        raise UsageError("no teacher; give --teacher FOLDER")
    if config.semi.is_on:
        raise UsageError("the terms of semi are for train; a student has its teachers' answers to every text")
    if config.start is not None and config.distill.vectors not in ("teacher", "none"):
        raise UsageError("the embedding can start from --vectors or from --start, not from both")
    teachers = [
        load_teacher(Path(folder), max_tokens=config.distill.max_tokens, device=where)
        for folder in config.distill.teachers
    ]
    material = read_material(config, Path(request.data_root))
    corpus = material.corpus
    transfer = build_transfer_set(corpus, material.unlabeled, config.distill.augment, seed=config.seed)
    console.print(transfer.describe(), markup=False)
    start = read_start(config)
    tokenizer = begin(run, request, corpus, transfer.given, resume=resume, start=start)
    cache = Path(config.distill.cache or run.path / "logits")
    answers = ask_teachers(teachers, transfer, corpus, config.distill, cache=cache, console=console)
    if answers is None:
        return None
    trainer = build_student(
        config, corpus, transfer, answers, tokenizer,
        device=where, console=console, start=start, processes=processes,
    )  # fmt: skip
    if resume and run.has_state:
        load_state(trainer, run)
    tell_start(console, corpus, trainer, tokenizer)
    if not fit(trainer, run, metric=config.metric, console=console) or not processes.is_first:
        return None
    network = with_ngrams(trainer, corpus, tokenizer, config, console)
    console.print("calibrating, and evaluating the finished checkpoint as loaded from disk")
    records = tuple(score_teachers(teachers, corpus, config))
    finished = Finished(request, corpus, tokenizer, trainer, network, teachers=records, start=start)
    record = publish(finished, output, scratch=run.path / "checkpoint", device=device)
    run.remove()
    return record


def read_material(config: TrainConfig, data_root: Path) -> Material:
    """Reads labelled and unlabelled files; the latter are recorded beside the former."""
    corpus = read_corpus(config.data, seed=config.seed, data_root=data_root)
    files, texts = dict(corpus.files), []
    for number, name in enumerate(config.distill.unlabeled, 1):
        path = Path(name)
        found = read_unlabeled(path, text_column=config.data.text_column)
        texts += found
        shown = shown_path(path, data_root)
        files[f"unlabeled {number}"] = DataFile(file=shown, sha256=file_digest(path), rows=len(found), labels={})
    return Material(dataclasses.replace(corpus, files=files), texts)


def begin(
    run: RunFolder,
    request: Request,
    corpus: Corpus,
    texts: Sequence[str],
    *,
    resume: bool,
    start: Pretrained | None = None,
) -> Tokenizer:
    """Creates the run's folder, or checks it; returns the run's tokenizer, that of `start` or one made of `texts`."""
    digests = {role: file.sha256 for role, file in corpus.files.items()} | start_digests(start)
    if resume:
        run.check_digests(digests)
        return run.tokenizer()
    tokenizer = make_tokenizer(request.config, start, texts)
    run.create(request, tokenizer, digests)
    return tokenizer


@dataclass(frozen=True, slots=True)
class Answers:
    """To the N texts of a transfer set.

    Attributes:
        teacher_NC: mean of the teachers' logits; zeros for a text that they were not asked about.
        truth_NC: labels that the data give, zeros and ones.
        labelled_N: which texts have those.
    """

    teacher_NC: Floats
    truth_NC: Floats
    labelled_N: npt.NDArray[np.bool_]


def ask_teachers(
    teachers: Sequence[Teacher],
    transfer: TransferSet,
    corpus: Corpus,
    config: DistillConfig,
    *,
    cache: Path,
    console: Console,
) -> Answers | None:
    """What the student is to answer; None if Ctrl-C or SIGTERM came first.

    Nobody asks about a text whose label alone counts (`hard_share` of 1).

    Raises:
        UsageError: no text is left to ask about, or a label of the teachers does not fit.
    """
    truth_NC, labelled_N = known_labels(transfer.texts, corpus)
    rows = np.flatnonzero(~labelled_N) if config.hard_share == 1 else np.arange(len(transfer.texts))
    if not len(rows):
        raise UsageError("distill.hard_share=1 leaves the teacher the texts without labels, and there are none")
    show = LabellingLines(console)
    with StopRequest() as stop:
        logits_RC = label(
            teachers,
            [transfer.texts[row] for row in rows],
            corpus.labels,
            mapping_of(config),
            cache=cache,
            report=show,
            should_stop=lambda: bool(stop),
        )
    if logits_RC is None:
        return None
    teacher_NC = np.zeros_like(truth_NC)
    teacher_NC[rows] = logits_RC
    return Answers(teacher_NC, truth_NC, labelled_N)


def build_student(
    config: TrainConfig,
    corpus: Corpus,
    transfer: TransferSet,
    answers: Answers,
    tokenizer: Tokenizer,
    *,
    device: torch.device,
    console: Console,
    start: Pretrained | None = None,
    processes: Processes = ALONE,
) -> Trainer:
    """A trainer at its first step, towards those answers; the same weights for the same seed."""
    torch.manual_seed(config.seed)
    network = RecurrentClassifier(
        config.architecture.sized(tokenizer.get_vocab_size()), len(corpus.labels), config.dropouts
    )
    if start is not None:
        start.fill(network)
    elif (vectors := vectors_path(config.distill)) is not None:
        start_from(vectors, network, tokenizer, transfer.texts, config, console)
    encoder = TextEncoder(tokenizer, max_tokens=config.tokenizer.max_tokens)
    return Trainer(
        network,
        Examples([text.ids for text in encoder.encode(transfer.texts)], answers.teacher_NC),
        encode_examples(corpus.stopping, corpus, encoder),
        config.loop,
        measure=measure(config.metric, corpus.task),
        seed=config.seed,
        device=device,
        loss=ImitationLoss(answers.teacher_NC, answers.truth_NC, answers.labelled_N, config.distill, corpus.task),
        processes=processes,
    )


def vectors_path(config: DistillConfig) -> Path | None:
    """Where the starting vectors are; None for random ones."""
    if config.vectors == "none":
        return None
    if config.vectors != "teacher":
        return Path(config.vectors)
    first = Path(config.teachers[0])
    return None if is_checkpoint(first) else first


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
    """How each teacher does on the held-out texts: what the student is to be set against.

    A teacher that was not asked about the labelled texts is not asked about others like them either: it may not know
    their language, and may take longer over them than the whole training.
    """
    score = measure(config.metric, corpus.task)
    asked = {} if config.distill.hard_share == 1 else corpus.held_out
    records = []
    for teacher in teachers:
        columns = columns_for(teacher, corpus.labels, mapping_of(config.distill))
        scores = {}
        for role, dataset in asked.items():
            logits_NC = student_logits(teacher.logits(dataset.texts), columns)
            scores[role] = score(logits_NC, encode_labels(dataset, corpus.labels))
        records.append(TeacherRecord(name=teacher.name, digest=teacher.digest, scores=scores))
    return records


def mapping_of(config: DistillConfig) -> dict[str, tuple[str, ...]]:
    """From our labels to the teachers' names for them.

    Raises:
        UsageError: a pair is malformed.
    """
    try:
        return parse_label_map(config.label_map)
    except ValueError as error:
        raise UsageError(str(error)) from error
