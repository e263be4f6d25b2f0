"""Where a run starts: the folder of a pre-training, or a checkpoint that is trained further."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError
from tokenizers import Tokenizer
from torch import Tensor

from model.checkpoint import CONFIG, METRICS, load_checkpoint
from model.config import Task
from model.errors import CheckpointIncompatible
from model.folder import parse_json, read_folder
from model.network import RecurrentClassifier
from model.pretrained import KIND
from training.data.continued import Continued
from training.data.corpus import DataFile
from training.language_model.folder import load_pretrained

_HEAD: Final = "head."
_NGRAMS: Final = "ngrams.table"

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Start:
    """Layers that a run begins with.

    Attributes:
        name: of their folder.
        version: first 12 hex digits of the folder's digest.
        weights: by the names that files give them.
        labels: in the order of the head's rows; none for a language model, which has no head.
        tokenizer: that the embedding belongs to.
        settings: of a run that starts here, nested, as `training.config.config.build_config` takes them. How long a
            text may be is the run's own to say.
        command: made the folder.
        data: the files that the layers learned from, by role.
        perplexity: of a language model on its validation texts, both directions together; None for a checkpoint.
        maps: weight and bias of each linear map from pooled states to the sentence vectors that were imitated.
        task: of a checkpoint; None for a language model.
        ngrams: rows of a checkpoint's table of n-grams, and tokens of the longest; no rows if it has none.
        thresholds: of a multi-label checkpoint, by label.
    """

    name: str
    version: str
    weights: Mapping[str, Tensor]
    labels: tuple[str, ...]
    tokenizer: Tokenizer
    settings: Mapping[str, Any]
    command: str
    data: Mapping[str, DataFile]
    perplexity: float | None
    maps: tuple[tuple[Floats, Floats], ...] = ()
    task: Task | None = None
    ngrams: tuple[int, int] = (0, 2)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def fill(self, network: RecurrentClassifier, labels: Sequence[str]) -> None:
        """Puts the layers into a classifier of the same shape, which gives `labels`.

        The rows of the head, and the columns of the n-grams where the network has them, are taken for those labels that
        both have; others stay as they are.
        """
        common = [label for label in labels if label in self.labels]
        ours = [list(labels).index(label) for label in common]
        theirs = [self.labels.index(label) for label in common]
        with torch.no_grad():
            for name, weight in network.weights().items():
                if name.startswith(_HEAD):
                    if common:
                        weight[ours] = self.weights[name][theirs].to(weight)
                elif name == _NGRAMS:
                    weight[:, ours] = self.weights[name][:, theirs].to(weight)
                elif name in self.weights:
                    weight.copy_(self.weights[name])

    def continued(self) -> Continued | None:
        """The labels that a run keeps if it goes on from here; None for a language model."""
        return None if self.task is None else Continued(self.name, self.task, self.labels)


def load_start(directory: Path) -> Start:
    """Reads and verifies a folder; runs nothing that is in it.

    Raises:
        CheckpointMissing: the folder or a file of it is not there.
        CheckpointDamaged: a file does not match its digest or is not what its name says.
        CheckpointIncompatible: its format is newer, the files contradict each other, or it does not say how its
            tokenizer was made.
    """
    content = read_folder(directory, (CONFIG,))[CONFIG]
    if parse_json(directory / CONFIG, content).get("kind") == KIND:
        return _language_model(directory)
    return _checkpoint(directory)


def _language_model(directory: Path) -> Start:
    found = load_pretrained(directory)
    record = found.record
    return Start(
        name=found.name,
        version=found.version,
        weights=found.weights,
        labels=(),
        tokenizer=found.tokenizer,
        settings=found.settings(),
        command=record.command,
        data=record.data,
        perplexity=record.perplexity.after,
        maps=tuple(found.maps()),
    )


def _checkpoint(directory: Path) -> Start:
    found = load_checkpoint(directory)
    metrics, architecture = found.metrics, found.config.architecture
    try:
        data = {role: DataFile.model_validate(file) for role, file in metrics["data"].items()}
        tokenizer = _section(metrics["config"], "tokenizer")
        command = str(metrics["command"])
    except (KeyError, AttributeError, ValidationError):
        cause = "is not the record of a training, so that it cannot be trained further"
        raise CheckpointIncompatible(directory / METRICS, cause) from None
    tokenizer.pop("max_tokens", None)
    shape = architecture.model_dump(exclude={"vocab_size", "ngram_buckets", "ngram_order"})
    return Start(
        name=directory.resolve().name,
        version=found.version,
        weights={name: torch.tensor(weight) for name, weight in found.weights.items()},
        labels=tuple(found.config.labels),
        tokenizer=found.tokenizer,
        settings={"tokenizer": tokenizer, "architecture": shape},
        command=command,
        data=data,
        perplexity=None,
        task=found.config.task,
        ngrams=(architecture.ngram_buckets, architecture.ngram_order),
        thresholds=dict(zip(found.config.labels, found.config.thresholds or (), strict=False)),
    )


def _section(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
