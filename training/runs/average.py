"""The mean of several finished checkpoints that began with the same layers, as one checkpoint.

Runs that begin with the same trained layers, and differ in settings, texts or seed, end in one valley of the loss: the
mean of their weights is often better than each of them, and costs no more to serve.

Source: Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time", section 2 (uniform soup).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError

from model.checkpoint import Checkpoint, load_checkpoint
from model.config import CheckpointConfig
from model.network import RecurrentClassifier
from training.artifacts.publish import Finished, Trained, publish
from training.artifacts.record import MemberRecord, Record
from training.config.config import TrainConfig
from training.config.request import Request
from training.config.start import Start, load_start
from training.data.corpus import Corpus, read_corpus
from training.errors import UsageError
from training.runs.session import Session

FITTED = {"temperature", "chinese_temperature", "thresholds", "precision_thresholds"}
"""Fields of a checkpoint's configuration that follow from its weights; the mean has its own."""


def average(request: Request, members: Sequence[Path], session: Session) -> Record:
    """Writes the mean of the checkpoints `members` to `session.output`: calibrated and scored as if a run had made it.

    Args:
        request: of the first one's run, whose texts calibrate the mean and score it.
        members: two or more checkpoints.
        session: output, device and console.

    Raises:
        UsageError: there are fewer than two, one is there twice, or they do not fit together.
        TrainingError, CheckpointError: a file or checkpoint cannot be read.
    """
    if len(members) < 2:
        raise UsageError("an average takes two checkpoints or more")
    checkpoints = [load_checkpoint(folder) for folder in members]
    records = [_record_of(folder, found) for folder, found in zip(members, checkpoints, strict=True)]
    check_alike(members, checkpoints, records)
    config, first = request.config, records[0]
    if config.data.validation is None:
        raise UsageError(
            f"{members[0]} was validated by a part of its training texts, which the others may have learned from: "
            "train each with the same --validation file"
        )
    start = _start_of(members[0], first, config)
    corpus = _read_texts(request, start, records)
    if list(corpus.labels) != list(checkpoints[0].config.labels):
        raise UsageError(
            f"the texts have the labels {', '.join(corpus.labels)}, and {members[0]} has "
            f"{', '.join(checkpoints[0].config.labels)}; --config names the settings of the run that made it"
        )
    session.console.print("calibrating, and evaluating the mean as loaded from disk")
    trained = Trained(mean_network(checkpoints), first.effort)
    finished = Finished(request, corpus, checkpoints[0].tokenizer, trained, teachers=first.teachers, start=start)
    names = [
        MemberRecord(name=folder.resolve().name, version=found.version, command=record.command)
        for folder, found, record in zip(members, checkpoints, records, strict=True)
    ]
    finished = replace(finished, members=tuple(names))
    try:
        return publish(finished, session.output, scratch=session.run.path / "checkpoint", device=session.device)
    finally:
        session.run.remove()


def check_alike(members: Sequence[Path], checkpoints: Sequence[Checkpoint], records: Sequence[Record]) -> None:
    """Refuses checkpoints whose mean would mean nothing.

    Raises:
        UsageError: one is there twice, or differs from the first in labels, shape, tokenizer, start or
            validation texts.
    """
    first, tokenizer = checkpoints[0], checkpoints[0].tokenizer.to_str()
    versions = [found.version for found in checkpoints]
    for number, (folder, found, record) in enumerate(zip(members, checkpoints, records, strict=True)):
        if found.version in versions[:number]:
            raise UsageError(f"{folder} is the same checkpoint as {members[versions.index(found.version)]}")
        for what, differs in (
            ("other labels or another shape", _shape(found.config) != _shape(first.config)),
            ("another tokenizer", found.tokenizer.to_str() != tokenizer),
            ("begun with other layers", _start(record) != _start(records[0]) or record.start is None),
            ("other validation texts", record.data["validation"].sha256 != records[0].data["validation"].sha256),
        ):
            if differs:
                raise UsageError(
                    f"{folder} has {what} than {members[0]}: only runs that began with the same layers (--start) and "
                    "have the same --validation can be averaged"
                )


def mean_network(checkpoints: Sequence[Checkpoint]) -> RecurrentClassifier:
    """A network with the mean of all weights, those of the n-grams too; computed in float64, stored in float32."""
    network = checkpoints[0].build_network()
    network.load_weights({name: torch.from_numpy(_mean(checkpoints, name)) for name in checkpoints[0].weights})
    return network


def _mean(checkpoints: Sequence[Checkpoint], name: str) -> npt.NDArray[np.float32]:
    total: npt.NDArray[np.float64] = np.zeros(checkpoints[0].weights[name].shape, dtype=np.float64)
    for checkpoint in checkpoints:
        total += checkpoint.weights[name]
    return (total / len(checkpoints)).astype(np.float32)


def _shape(config: CheckpointConfig) -> dict[str, Any]:
    return config.model_dump(exclude=FITTED)


def _start_of(folder: Path, record: Record, config: TrainConfig) -> Start:
    """The layers that the run of `folder` began with, as its settings name them.

    Raises:
        UsageError: they name none, or others.
        CheckpointError: they cannot be read.
    """
    if config.start is None:
        raise UsageError(f"the settings name no start; --config names those of the run that made {folder}")
    start = load_start(Path(config.start))
    if start.version != _start(record):
        raise UsageError(f"{config.start} is not what {folder} began with any more: it has been changed since")
    return start


def _read_texts(request: Request, start: Start, records: Sequence[Record]) -> Corpus:
    """Reads the texts as the first run did: with the labels of `start` where it kept them.

    Which half of the validation texts picks the weights follows from the seed: runs with several have picked theirs on
    all of them.

    Raises:
        TableError: a file, a row or a label is unusable.
    """
    config, began = request.config, records[0].start
    continued = start.continued() if began is not None and began.kept else None
    corpus = read_corpus(config.data, seed=config.seed, data_root=Path(request.data_root), continued=continued)
    seeds = {record.seed for record in records}
    return corpus if seeds == {config.seed} else replace(corpus, stopping=corpus.validation)


def _start(record: Record) -> str | None:
    return None if record.start is None else record.start.version


def _record_of(folder: Path, checkpoint: Checkpoint) -> Record:
    try:
        return Record.model_validate(checkpoint.metrics)
    except ValidationError:
        raise UsageError(f"{folder} is not of train or distill: metrics.json is not the record of such a run") from None
